#include "store/journal_format.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "base/check.h"
#include "store/crc32c.h"

namespace muster::store {
namespace {

constexpr std::size_t number_digits = 20;

std::uint32_t load_u32(Bytes bytes) {
  std::uint32_t value = 0;
  static_assert(std::endian::native == std::endian::little);
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

std::uint32_t checksum(Bytes length, Bytes payload, std::uint32_t salt) {
  return crc32c(payload, crc32c(length, salt));
}

}  // namespace

void close_frame(std::string& out, std::size_t at, std::uint32_t salt) {
  const std::size_t size = out.size() - at - frame_head_bytes;
  CHECK(size <= frame_bytes_max, "a frame is far below a gigabyte");
  const auto length = static_cast<std::uint32_t>(size);
  std::memcpy(out.data() + at, &length, sizeof length);
  const Bytes all = bytes_of(out).subspan(at);
  const std::uint32_t crc = checksum(all.first(4), all.subspan(frame_head_bytes), salt);
  std::memcpy(out.data() + at + 4, &crc, sizeof crc);
}

std::optional<Bytes> read_frame(Bytes bytes, std::uint32_t salt) {
  if (bytes.size() < frame_head_bytes) return std::nullopt;
  const std::uint32_t length = load_u32(bytes);
  if (length > frame_bytes_max || length > bytes.size() - frame_head_bytes) return std::nullopt;
  const Bytes payload = bytes.subspan(frame_head_bytes, length);
  if (checksum(bytes.first(4), payload, salt) != load_u32(bytes.subspan(4))) return std::nullopt;
  return payload;
}

std::uint32_t salt_of(Bytes header_payload) { return crc32c(header_payload); }

std::string journal_file_name(std::uint64_t number, std::string_view suffix) {
  return fmt::format("{:020}{}", number, suffix);
}

std::expected<std::vector<JournalFile>, std::string> list_journal(const std::string& folder,
                                                                  std::string_view suffix) {
  std::vector<JournalFile> files;
  std::error_code error;
  std::filesystem::directory_iterator it(folder, error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.size() != number_digits + suffix.size() || !name.ends_with(suffix)) continue;
    std::uint64_t number = 0;
    const char* const end = name.data() + number_digits;
    if (const auto [rest, wrong] = std::from_chars(name.data(), end, number);
        wrong != std::errc{} || rest != end)
      continue;
    files.push_back({number, it->path().string()});
  }
  if (error)
    return std::unexpected(
        fmt::format("cannot read the journal's folder {}: {}", folder, error.message()));
  std::ranges::sort(files, {}, &JournalFile::number);
  return files;
}

std::expected<std::string, std::string> read_whole(const std::string& path) {
  const auto refuse = [&] {
    return std::unexpected(fmt::format("cannot read {}: {}", path, ::strerrordesc_np(errno)));
  };
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return refuse();
  struct stat status{};
  std::string text;
  if (::fstat(fd, &status) == 0) text.resize(static_cast<std::size_t>(status.st_size));
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t got = ::read(fd, text.data() + done, text.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const int error = errno;
      ::close(fd);
      errno = error;
      return refuse();
    }
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  text.resize(done);
  ::close(fd);
  return text;
}

}  // namespace muster::store
