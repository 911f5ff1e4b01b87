// The only file that includes Beast: its parser alone compiles in seconds, its streams in a minute.
#include "wire/http_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <iterator>
#include <utility>

namespace muster::wire {
namespace http = boost::beast::http;
using boost::system::error_code;

struct HttpReader::Unfinished {
  std::string head;            // What has come of it, while it is not whole.
  HttpRequest request;         // From its whole head on.
  std::size_t body_bytes = 0;  // That it will have.
  bool head_done = false;
  bool awaits_continue = false;
};

std::string_view HttpRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return {};
}

std::string HttpRequest::query_value(std::string_view name) const {
  const auto resolve = [](std::string_view text) {
    std::string plain(text);
    std::replace(plain.begin(), plain.end(), '+', ' ');  // In a query alone it means a space.
    return resolve_escapes(plain);
  };
  for (std::string_view rest = query; !rest.empty();) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const auto equals = pair.find('=');
    if (resolve(pair.substr(0, equals)) != name) continue;
    return equals == std::string_view::npos ? "" : resolve(pair.substr(equals + 1));
  }
  return {};
}

std::string resolve_escapes(std::string_view text) {
  const auto hex = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

HttpReader::HttpReader(std::uint32_t head_bytes_max, std::uint32_t body_bytes_max)
    : head_bytes_max_(head_bytes_max), body_bytes_max_(body_bytes_max) {}
HttpReader::~HttpReader() = default;
HttpReader::HttpReader(HttpReader&&) noexcept = default;
HttpReader& HttpReader::operator=(HttpReader&&) noexcept = default;

HttpReader::Read HttpReader::fail(int status) {
  status_ = status;
  unfinished_.reset();
  return Read::failed;
}

// Beast gets a head only when it is whole. Fed piecemeal its answers depend on where the pieces
// were cut: it is stricter with what it sees at once, and with chunked bodies not even about what
// was sent. Those are refused; whatever calls an API knows the length of what it sends.
bool HttpReader::parse_head(std::string_view head, Unfinished& u) {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(head_bytes_max_);
  parser.body_limit(boost::none);  // Checked below.
  error_code ec;
  parser.put(boost::asio::const_buffer(head.data(), head.size()), ec);
  if (ec || !parser.is_header_done()) {
    fail(ec == http::error::header_limit ? 431 : 400);
    return false;
  }
  const auto& in = parser.get();
  HttpRequest& out = u.request;
  out.method = std::string(in.method_string());
  const std::string_view target(in.target().data(), in.target().size());
  const auto mark = target.find('?');
  out.path = target.substr(0, mark);
  if (mark != std::string_view::npos) out.query = target.substr(mark + 1);
  for (const auto& field : in) {
    std::string name(field.name_string());
    std::transform(name.begin(), name.end(), name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    out.headers.emplace_back(std::move(name), std::string(field.value()));
  }
  if (!out.header("transfer-encoding").empty()) {
    fail(411);
    return false;
  }
  const std::uint64_t length = parser.content_length().value_or(0);
  if (length > body_bytes_max_) {
    fail(413);
    return false;
  }
  u.body_bytes = static_cast<std::size_t>(length);
  u.awaits_continue = boost::beast::iequals(in[http::field::expect], "100-continue");
  u.head_done = true;
  keep_alive_ = parser.keep_alive();
  return true;
}

HttpReader::Read HttpReader::next(Bytes& bytes, HttpRequest& out) {
  if (status_ != 0) return Read::failed;
  if (bytes.empty()) return Read::more;
  if (!unfinished_) unfinished_ = std::make_unique<Unfinished>();
  Unfinished& u = *unfinished_;

  if (!u.head_done) {
    constexpr std::string_view end_mark = "\r\n\r\n";
    const std::size_t before = u.head.size();
    // One more than allowed is enough to know that it is too long.
    const std::size_t take = std::min<std::size_t>(bytes.size(), head_bytes_max_ + 1 - before);
    u.head.append(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(take));
    const auto end = u.head.find(end_mark, before < 3 ? 0 : before - 3);
    if (end == std::string::npos) {
      bytes = bytes.subspan(take);
      return u.head.size() > head_bytes_max_ ? fail(431) : Read::more;
    }
    const std::size_t head_bytes = end + end_mark.size();
    bytes = bytes.subspan(head_bytes - before);
    if (head_bytes > head_bytes_max_) return fail(431);
    const std::string head = std::move(u.head);
    if (!parse_head(std::string_view(head).substr(0, head_bytes), u)) return Read::failed;
  }

  const std::size_t take = std::min(bytes.size(), u.body_bytes - u.request.body.size());
  u.request.body.append(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(take));
  bytes = bytes.subspan(take);
  if (u.request.body.size() < u.body_bytes) return Read::more;
  out = std::move(u.request);
  unfinished_.reset();
  return Read::request;
}

bool HttpReader::take_expects_continue() {
  return unfinished_ && std::exchange(unfinished_->awaits_continue, false);
}

std::string_view status_text(int status) {
  const auto text = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status)));
  return {text.data(), text.size()};
}

void append_response(std::string& out, const HttpResponse& response, bool keep_alive,
                     bool head_only) {
  auto to = std::back_inserter(out);
  fmt::format_to(to, "HTTP/1.1 {} {}\r\n", response.status, status_text(response.status));
  if (!response.body.empty()) fmt::format_to(to, "Content-Type: {}\r\n", response.content_type);
  for (const auto& [name, value] : response.headers) fmt::format_to(to, "{}: {}\r\n", name, value);
  fmt::format_to(to, "Content-Length: {}\r\nConnection: {}\r\n\r\n", response.body.size(),
                 keep_alive ? "keep-alive" : "close");
  if (!head_only) out += response.body;
}

void append_chunked_head(std::string& out, std::string_view content_type) {
  fmt::format_to(std::back_inserter(out),
                 "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nTransfer-Encoding: chunked\r\n\r\n",
                 content_type);
}

void append_chunk(std::string& out, std::string_view piece) {
  fmt::format_to(std::back_inserter(out), "{:x}\r\n{}\r\n", piece.size(), piece);
}

}  // namespace muster::wire
