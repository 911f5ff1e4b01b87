#pragma once
// HTTP/1.1 without I/O: bytes in, requests out, and responses as bytes.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/frame.h"  // Bytes

namespace muster::wire {

struct HttpRequest {
  std::string method;  // As sent: "GET".
  std::string path;    // Up to the '?', as sent (percent escapes are left alone): "/v1/servers".
  std::string query;   // After the '?', as sent; may be empty.
  std::vector<std::pair<std::string, std::string>>
      headers;       // Names in lower case, as many as came.
  std::string body;  // Whole; at most body_bytes_max.

  /// The header's first value, or "". `name` in lower case: "content-type", "authorization",
  /// "host".
  std::string_view header(std::string_view name) const;
  /// The query's first value of that name with escapes resolved, or "".
  std::string query_value(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  // Beyond the usual ones.
};

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
  Read next(Bytes& bytes, HttpRequest& out);

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
/// Of a response whose body follows in pieces, by append_chunk(), for as long as the connection is.
void append_chunked_head(std::string& out, std::string_view content_type);
/// `piece` must not be empty: that would be the end.
void append_chunk(std::string& out, std::string_view piece);
/// "Not Found".
std::string_view status_text(int status);
/// Resolves percent escapes; what is none stays as it is.
std::string resolve_escapes(std::string_view text);

}  // namespace muster::wire
