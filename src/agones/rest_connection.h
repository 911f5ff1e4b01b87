#pragma once
// The SDK's REST gateway over HTTP/1.1: JSON in and out, watching in chunks or by WebSocket.

#include <memory>
#include <string>
#include <string_view>

#include "agones/protocol.h"
#include "wire/http_reader.h"
#include "wire/websocket.h"

namespace muster::agones {

/// Answers requests in order, keep-alive included. One that cannot be understood ends the
/// connection after its answer. Not thread-safe.
class RestConnection : public Protocol {
 public:
  static constexpr std::uint32_t head_bytes_max = 16u << 10;

  /// `host` must outlive this.
  explicit RestConnection(Host& host);

  bool feed(wire::Bytes bytes) override;
  void changed() override;
  void produce(std::string& out, std::size_t bytes_max) override;
  bool streaming() const override { return mode_ == Mode::chunked || mode_ == Mode::websocket; }
  bool open() const override { return mode_ != Mode::closed; }

 private:
  enum class Mode : std::uint8_t { requests, chunked, websocket, closed };

  void read_requests();
  void on_request(const wire::HttpRequest& request, bool keep_alive);
  bool begin_watch(const wire::HttpRequest& request);
  void read_websocket(wire::Bytes bytes);
  void watch();

  Host& host_;
  Mode mode_ = Mode::requests;
  wire::HttpReader reader_;
  std::unique_ptr<wire::WsReader> websocket_;
  std::string in_;  // Not read while the answers to what came before wait to be sent.
  std::string out_;
  bool stale_ = false;  // A change has not been told to the watcher.
};

}  // namespace muster::agones
