#pragma once
// A folder for a test to write in, removed after it.

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace muster::store {

struct TempFolder {
  TempFolder() {
    std::string name = std::filesystem::temp_directory_path() / "muster_store_XXXXXX";
    path = ::mkdtemp(name.data());
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::string path;
};

}  // namespace muster::store
