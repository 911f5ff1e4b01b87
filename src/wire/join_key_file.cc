// JoinKey::load_or_create(): the one file of the private key.
#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "base/check.h"
#include "wire/join_token.h"

namespace muster::wire {
namespace {

// The file is this line and the seed in hexadecimal, so that it is seen for what it is.
constexpr std::string_view title = "muster join key, Ed25519 seed: keep secret\n";
constexpr std::size_t file_bytes = title.size() + 2 * JoinKey::seed_bytes + 1;
using Seed = std::array<std::uint8_t, JoinKey::seed_bytes>;

struct File {
  int fd;
  ~File() {
    if (fd >= 0) ::close(fd);
  }
};

std::string explain(std::string_view what, const std::string& path, int error) {
  return fmt::format("cannot {} the join key {}: {}", what, path, ::strerrordesc_np(error));
}

// Nothing if there is no file.
std::expected<std::optional<Seed>, std::string> load(const std::string& path) {
  const File file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (file.fd < 0 && errno == ENOENT) return std::nullopt;
  if (file.fd < 0) return std::unexpected(explain("read", path, errno));
  struct stat status{};
  if (::fstat(file.fd, &status) < 0) return std::unexpected(explain("read", path, errno));
  if (!S_ISREG(status.st_mode))
    return std::unexpected(fmt::format("the join key {} is not a file", path));
  if (status.st_uid != ::geteuid() && status.st_uid != 0)
    return std::unexpected(
        fmt::format("the join key {} belongs to another user (uid {})", path, status.st_uid));
  if ((status.st_mode & 077) != 0)
    return std::unexpected(
        fmt::format("the join key {} may be read by others (mode {:04o}): they could sign join "
                    "tokens. Delete it to have a new one made, or chmod 600 if it is still secret",
                    path, status.st_mode & 07777));
  char text[file_bytes + 1];
  const ssize_t n = ::read(file.fd, text, sizeof text);
  if (n < 0) return std::unexpected(explain("read", path, errno));
  Seed seed;
  std::size_t decoded = 0;
  const bool good = n == static_cast<ssize_t>(file_bytes) &&
                    std::string_view(text, title.size()) == title && text[file_bytes - 1] == '\n' &&
                    sodium_hex2bin(seed.data(), seed.size(), text + title.size(), 2 * seed.size(),
                                   nullptr, &decoded, nullptr) == 0 &&
                    decoded == seed.size();
  sodium_memzero(text, sizeof text);
  if (!good)
    return std::unexpected(
        fmt::format("the join key {} is damaged: delete it to have a new one made", path));
  return seed;
}

// Written whole under another name, then linked to its own: whoever is first wins, and nobody ever
// sees half a key.
std::expected<void, std::string> create(const std::string& path) {
  Seed seed;
  randombytes_buf(seed.data(), seed.size());
  char text[file_bytes + 1];
  std::memcpy(text, title.data(), title.size());
  sodium_bin2hex(text + title.size(), 2 * seed.size() + 1, seed.data(), seed.size());
  text[file_bytes - 1] = '\n';
  sodium_memzero(seed.data(), seed.size());

  const std::string temporary = fmt::format("{}.new-{}", path, ::getpid());
  int error = 0;
  {
    ::unlink(temporary.c_str());  // A killed process of the same pid may have left one.
    const File file{
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (file.fd < 0) {
      error = errno;
    } else {
      const ssize_t n = ::write(file.fd, text, file_bytes);
      if (n != static_cast<ssize_t>(file_bytes)) error = n < 0 ? errno : ENOSPC;
      if (error == 0 && ::fsync(file.fd) < 0) error = errno;
    }
  }
  sodium_memzero(text, sizeof text);
  if (error == 0 && ::link(temporary.c_str(), path.c_str()) < 0 && errno != EEXIST) error = errno;
  ::unlink(temporary.c_str());
  if (error != 0) return std::unexpected(explain("make", path, error));
  return {};
}

}  // namespace

std::expected<JoinKey, std::string> JoinKey::load_or_create(const std::string& path) {
  CHECK(sodium_init() >= 0, "libsodium works");
  auto seed = load(path);
  if (seed && !*seed) {
    if (const auto made = create(path); !made) return std::unexpected(made.error());
    seed = load(path);
  }
  if (!seed) return std::unexpected(seed.error());
  if (!*seed) return std::unexpected(explain("read", path, ENOENT));
  JoinKey key(**seed);
  sodium_memzero((*seed)->data(), (*seed)->size());
  return key;
}

}  // namespace muster::wire
