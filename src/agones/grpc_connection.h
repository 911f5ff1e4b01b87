#pragma once
// gRPC over HTTP/2, by nghttp2, which has no I/O of its own. Unary calls, Health (a stream of
// requests) and WatchGameServer (a stream of replies); pings are answered however many come.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agones/protocol.h"

extern "C" {
struct nghttp2_session;  // NOLINT(readability-identifier-naming): nghttp2's.
}

namespace muster::agones {

/// A peer that breaks HTTP/2's rules, or sends what is none, costs only this connection. Not
/// thread-safe.
class GrpcConnection : public Protocol {
 public:
  static constexpr std::uint32_t streams_max = 32;
  static constexpr std::size_t path_bytes_max = 256;

  /// `host` must outlive this.
  explicit GrpcConnection(Host& host);
  ~GrpcConnection() override;
  GrpcConnection(const GrpcConnection&) = delete;
  GrpcConnection& operator=(const GrpcConnection&) = delete;

  bool feed(wire::Bytes bytes) override;
  void changed() override;
  void produce(std::string& out, std::size_t bytes_max) override;
  bool streaming() const override { return !streams_.empty(); }
  bool open() const override;

 private:
  struct Stream;
  struct Callbacks;

  void on_header(Stream& stream, std::string_view name, std::string_view value);
  void on_request(std::int32_t id, Stream& stream);  // Its head is whole.
  void on_data(std::int32_t id, Stream& stream, std::string_view data);
  void on_end(std::int32_t id, Stream& stream);  // Nothing more comes.
  void call(std::int32_t id, Stream& stream, std::string_view message);
  void append_message(Stream& stream, const Message& reply);
  void begin_reply(std::int32_t id, Stream& stream);
  void watch(Stream& stream);
  void refuse(std::int32_t id, Stream& stream, const Status& status);
  void refuse_http(std::int32_t id, Stream& stream, const char* http_status);

  Host& host_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, Stream> streams_;
  std::size_t pending_bytes_ = 0;  // In all streams.
  bool failed_ = false;
};

}  // namespace muster::agones
