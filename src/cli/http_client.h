#pragma once
// One HTTP request to the admin API of a lobby, and its answer. Blocks; for command line tools.

#include <expected>
#include <string>
#include <string_view>

#include "base/time.h"

namespace muster::cli {

struct HttpReply {
  int status = 0;
  std::string body;
};

inline constexpr std::size_t reply_bytes_max = 64u << 20;

/// `address` is "IP:port". A POST carries `body` as JSON. Gives up after `timeout` in all. An error
/// is a sentence for people: what could not be done, and what to look at.
std::expected<HttpReply, std::string> http_call(std::string_view address, std::string_view method,
                                                std::string_view path, std::string_view body,
                                                Duration timeout);

}  // namespace muster::cli
