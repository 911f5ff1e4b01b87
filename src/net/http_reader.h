#pragma once
// HTTP/1.1 without I/O: bytes in, requests out, and responses as bytes.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "net/http.h"
#include "wire/frame.h"  // Bytes

namespace muster::net {

/// Takes requests off a byte stream, however it was cut. Holds memory only while a request is
/// unfinished, at most about its limits. Not thread-safe.
class HttpReader {
 public:
  HttpReader(std::uint32_t head_bytes_max, std::uint32_t body_bytes_max);
  ~HttpReader();
  HttpReader(HttpReader&&) noexcept;
  HttpReader& operator=(HttpReader&&) noexcept;

  enum class Read : std::uint8_t {
    request,  ///< One is there; ask again. What follows it is left in `bytes`.
    more,     ///< All bytes are taken; more are needed.
    failed,   ///< Answer with status() and close: the stream is of no further use.
  };
  Read next(wire::Bytes& bytes, HttpRequest& out);

  /// After failed: 400, 411 (a chunked body), 413 or 431.
  int status() const { return status_; }
  /// May the connection be used again after the last request?
  bool keep_alive() const { return keep_alive_; }
  bool unfinished() const { return unfinished_ != nullptr; }
  /// True once per request that waits for "100 Continue" before it sends its body.
  bool take_expects_continue();

 private:
  struct Unfinished;
  Read fail(int status);
  bool parse_head(std::string_view head, Unfinished& u);

  std::unique_ptr<Unfinished> unfinished_;
  std::uint32_t head_bytes_max_;
  std::uint32_t body_bytes_max_;
  int status_ = 0;
  bool keep_alive_ = false;
};

/// Appends a response. `head_only` answers HEAD: the head as for GET, and no body.
void append_response(std::string& out, const HttpResponse& response, bool keep_alive,
                     bool head_only);
/// "Not Found".
std::string_view status_text(int status);

}  // namespace muster::net
