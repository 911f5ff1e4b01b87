// The only file that includes Beast: its parser alone compiles in seconds, its streams in a minute.
#include "net/http_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <iterator>
#include <utility>

namespace muster::net {
namespace http = boost::beast::http;
using boost::system::error_code;

struct HttpReader::Unfinished {
  http::request_parser<http::string_body> parser;
  std::string held;  // Bytes the parser has seen and not taken: it wants whole lines.
  bool continue_told = false;
};

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

namespace {

int status_of(const error_code& ec) {
  if (ec == http::error::header_limit) return 431;
  if (ec == http::error::body_limit) return 413;
  return 400;
}

void fill(HttpRequest& out, http::request<http::string_body>&& in) {
  out = {};
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
  out.body = std::move(in.body());
}

}  // namespace

HttpReader::Read HttpReader::next(wire::Bytes& bytes, HttpRequest& out) {
  if (status_ != 0) return Read::failed;
  while (!bytes.empty()) {
    if (!unfinished_) {
      unfinished_ = std::make_unique<Unfinished>();
      unfinished_->parser.header_limit(head_bytes_max_);
      unfinished_->parser.body_limit(body_bytes_max_);
      unfinished_->parser.eager(true);
    }
    Unfinished& u = *unfinished_;

    // The head is gathered until whole; a body is taken as it comes.
    const std::size_t held_before = u.held.size();
    boost::asio::const_buffer in(bytes.data(), bytes.size());
    if (held_before > 0) {
      // No more than a head may have, so that a body's bytes are not gathered with it.
      const std::size_t room = std::max<std::size_t>(head_bytes_max_ + 1, held_before + 1);
      const std::size_t take = std::min(bytes.size(), room - held_before);
      u.held.append(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(take));
      in = {u.held.data(), u.held.size()};
    }
    error_code ec;
    const std::size_t used = u.parser.put(in, ec);
    if (ec && ec != http::error::need_more) return fail(status_of(ec));

    if (held_before > 0) {
      // Of these bytes, those past `used` stay where they are unless they belong to the gathering.
      const std::size_t appended = u.held.size() - held_before;
      if (used >= held_before) {
        bytes = bytes.subspan(used - held_before);
        u.held.clear();
      } else {
        u.held.erase(0, used);
        bytes = bytes.subspan(appended);
      }
    } else {
      bytes = bytes.subspan(used);
    }
    if (u.parser.is_done()) {
      keep_alive_ = u.parser.keep_alive();
      fill(out, u.parser.release());
      unfinished_.reset();
      return Read::request;
    }
    if (used == 0 && held_before == 0) {
      u.held.assign(bytes.begin(), bytes.end());
      bytes = {};
    }
    // Neither a head nor a chunk's own header may be longer than this.
    if (u.held.size() > head_bytes_max_) return fail(431);
  }
  return Read::more;
}

bool HttpReader::take_expects_continue() {
  if (!unfinished_ || unfinished_->continue_told || !unfinished_->parser.is_header_done())
    return false;
  unfinished_->continue_told = true;
  return boost::beast::iequals(unfinished_->parser.get()[http::field::expect], "100-continue");
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

}  // namespace muster::net
