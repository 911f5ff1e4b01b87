#include "node/text_file.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "node/unique_fd.h"

namespace muster::node {

std::optional<std::uint32_t> read_number(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char text[32];
  const ssize_t n = file ? ::read(file.get(), text, sizeof text) : -1;
  std::uint32_t number = 0;
  if (n <= 0 || std::from_chars(text, text + n, number).ec != std::errc{}) return std::nullopt;
  return number;
}

// The kernel's can be read a page or so at a time; nothing read here is larger than this but a
// foreign environment, of which the beginning will do.
std::string read_text(const std::string& path) {
  constexpr std::size_t bytes_max = 256 * 1024;
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string out;
  if (!file) return out;
  char buffer[4096];
  for (;;) {
    const ssize_t n = ::read(file.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || out.size() > bytes_max) return out;
    out.append(buffer, static_cast<std::size_t>(n));
  }
}

std::expected<void, std::string> write_text(const std::string& path, std::string_view text) {
  const std::string temporary = path + ".new";
  int error = 0;
  {
    const UniqueFd file(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) {
      error = errno;
    } else {
      const ssize_t n = ::write(file.get(), text.data(), text.size());
      if (n != static_cast<ssize_t>(text.size())) error = n < 0 ? errno : ENOSPC;
    }
  }
  if (error == 0 && ::rename(temporary.c_str(), path.c_str()) < 0) error = errno;
  if (error == 0) return {};
  ::unlink(temporary.c_str());
  return std::unexpected(fmt::format("cannot write {}: {}", path, ::strerrordesc_np(error)));
}

}  // namespace muster::node
