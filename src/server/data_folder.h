#pragma once

#include <expected>
#include <string>
#include <utility>

namespace muster::server {

/// The lobby's data folder, made if needed (0700) and held for this process alone as long as the
/// object lives.
class DataFolder {
 public:
  /// Errors are sentences for people: not a folder, not writable, in use by process N.
  static std::expected<DataFolder, std::string> open(const std::string& path);

  DataFolder(DataFolder&& other) noexcept
      : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}
  DataFolder& operator=(DataFolder&&) = delete;
  ~DataFolder();

  /// Absolute, without a trailing slash.
  const std::string& path() const { return path_; }

 private:
  DataFolder(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::string path_;
  int lock_ = -1;
};

}  // namespace muster::server
