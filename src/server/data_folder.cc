#include "server/data_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace muster::server {

std::expected<DataFolder, std::string> DataFolder::open(const std::string& path) {
  std::error_code error;
  std::filesystem::path folder = std::filesystem::absolute(path, error).lexically_normal();
  if (folder.filename().empty()) folder = folder.parent_path();
  if (!std::filesystem::exists(folder, error)) {
    std::filesystem::create_directories(folder.parent_path(), error);
    if (!error && ::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
      error = {errno, std::generic_category()};
    if (error)
      return std::unexpected(fmt::format(
          "the data folder {} cannot be made: {}. Make it, or set `data` to another folder.",
          folder.string(), error.message()));
  }
  if (!std::filesystem::is_directory(folder, error))
    return std::unexpected(
        fmt::format("the data folder {} is not a folder. Set `data` to one.", folder.string()));

  const std::string lock_path = folder / "lobby.lock";
  const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0)
    return std::unexpected(
        fmt::format("the data folder {} is not writable: {}. Give its owner the right, or set "
                    "`data` to another.",
                    folder.string(), std::strerror(errno)));
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    char pid[32] = {};
    const ssize_t n = ::pread(lock, pid, sizeof pid - 1, 0);
    ::close(lock);
    std::string who =
        n > 0 ? std::string(pid, static_cast<std::size_t>(n)) : std::string("unknown");
    while (!who.empty() && who.back() == '\n') who.pop_back();
    return std::unexpected(fmt::format(
        "the data folder {} is in use by another lobby (process {}). Stop that one, or set "
        "`data` to another folder.",
        folder.string(), who));
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(lock, 0) != 0 ||
      ::pwrite(lock, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    const std::string reason = std::strerror(errno);
    ::close(lock);
    return std::unexpected(
        fmt::format("the data folder {} cannot be written: {}.", folder.string(), reason));
  }
  return DataFolder(folder.string(), lock);
}

DataFolder::~DataFolder() {
  if (lock_ >= 0) ::close(lock_);
}

}  // namespace muster::server
