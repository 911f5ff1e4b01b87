#pragma once
// For tests and benchmarks: a gRPC client over HTTP/2 without I/O.

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"

namespace muster::agones {

class GrpcClient {
 public:
  struct Reply {
    std::map<std::string, std::string> headers;  // And trailers.
    std::string data;
    bool closed = false;

    std::string status() const {
      const auto found = headers.find("grpc-status");
      return found == headers.end() ? "" : found->second;
    }
    /// The messages there are so far.
    std::vector<std::string> messages() const {
      std::vector<std::string> all;
      for (std::string_view rest = data; rest.size() >= 5;) {
        std::size_t size = 0;
        for (int i = 1; i < 5; ++i) size = size << 8 | static_cast<unsigned char>(rest[i]);
        if (rest.size() < 5 + size) break;
        all.emplace_back(rest.substr(5, size));
        rest.remove_prefix(5 + size);
      }
      return all;
    }
  };

  GrpcClient() {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                      std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                      std::uint8_t, void* user) {
          self(user).replies_[frame->hd.stream_id].headers[text(name, name_size)] =
              text(value, value_size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                      std::size_t size, void* user) {
          self(user).replies_[id].data += text(data, size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
          self(user).replies_[id].closed = true;
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
          if (frame->hd.type == NGHTTP2_PING) ++self(user).pings_answered_;
          if (frame->hd.type == NGHTTP2_GOAWAY) self(user).told_to_go_ = true;
          return 0;
        });
    CHECK(nghttp2_session_client_new(&session_, callbacks, this) == 0, "there is memory");
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~GrpcClient() { nghttp2_session_del(session_); }
  GrpcClient(const GrpcClient&) = delete;
  GrpcClient& operator=(const GrpcClient&) = delete;

  static std::string framed(std::string_view message) {
    std::string out(1, '\0');
    for (int shift = 24; shift >= 0; shift -= 8)
      out += static_cast<char>(message.size() >> shift & 0xff);
    return out.append(message);
  }

  /// Begins a call; its body goes on with write() until end().
  std::int32_t open(std::string_view path, std::string_view content_type = "application/grpc",
                    std::string_view verb = "POST") {
    const nghttp2_nv headers[] = {header(":method", verb),
                                  header(":scheme", "http"),
                                  header(":path", path),
                                  header(":authority", "localhost"),
                                  header("content-type", content_type),
                                  header("te", "trailers")};
    const nghttp2_data_provider source{{.ptr = nullptr}, read};
    return nghttp2_submit_request(session_, nullptr, headers, std::size(headers), &source, nullptr);
  }
  void write(std::int32_t id, std::string_view bytes) {
    bodies_[id].bytes += bytes;
    nghttp2_session_resume_data(session_, id);
  }
  void end(std::int32_t id) {
    bodies_[id].ended = true;
    nghttp2_session_resume_data(session_, id);
  }
  /// A whole unary call.
  std::int32_t call(std::string_view path, std::string_view message) {
    const std::int32_t id = open(path);
    write(id, framed(message));
    end(id);
    return id;
  }
  void ping() { nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr); }
  void reset(std::int32_t id) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
  }

  void feed(std::string_view bytes) {
    const auto taken = nghttp2_session_mem_recv(
        session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    CHECK(taken == static_cast<ssize_t>(bytes.size()), "the server speaks HTTP/2");
  }
  std::string take() {
    std::string out;
    for (;;) {
      const std::uint8_t* data = nullptr;
      const ssize_t n = nghttp2_session_mem_send(session_, &data);
      if (n <= 0) return out;
      out += text(data, static_cast<std::size_t>(n));
    }
  }

  const Reply& reply(std::int32_t id) { return replies_[id]; }
  int pings_answered() const { return pings_answered_; }
  bool told_to_go() const { return told_to_go_; }

 private:
  struct Body {
    std::string bytes;
    bool ended = false;
  };
  static GrpcClient& self(void* user) { return *static_cast<GrpcClient*>(user); }
  static std::string text(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
  }
  static nghttp2_nv header(std::string_view name, std::string_view value) {
    const auto bytes = [](std::string_view s) {
      return reinterpret_cast<std::uint8_t*>(const_cast<char*>(s.data()));
    };
    return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
  }
  static ssize_t read(nghttp2_session*, std::int32_t id, std::uint8_t* to, std::size_t max,
                      std::uint32_t* flags, nghttp2_data_source*, void* user) {
    Body& body = self(user).bodies_[id];
    const std::size_t n = std::min(max, body.bytes.size());
    std::copy_n(body.bytes.data(), n, to);
    body.bytes.erase(0, n);
    if (body.bytes.empty() && body.ended) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      return static_cast<ssize_t>(n);
    }
    if (n == 0) return NGHTTP2_ERR_DEFERRED;
    return static_cast<ssize_t>(n);
  }

  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, Body> bodies_;
  std::map<std::int32_t, Reply> replies_;
  int pings_answered_ = 0;
  bool told_to_go_ = false;
};

}  // namespace muster::agones
