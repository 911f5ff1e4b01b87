#include "node/server_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "node/launch_contract.h"
#include "node/unique_fd.h"
#include "proto/node.pb.h"

namespace muster::node {
namespace {

namespace fs = std::filesystem;

// "a/b.cfg": nothing that could lead out of the folder.
bool stays_within(const fs::path& path) {
  return !path.empty() && path.is_relative() && path.has_filename() &&
         std::ranges::none_of(path, [](const fs::path& part) {
           return part == ".." || part == "." || part.empty();
         });
}

std::expected<void, std::string> write_file(const std::string& path, std::string_view text,
                                            mode_t mode) {
  const auto refuse = [&](int error) {
    return std::unexpected(fmt::format("cannot write {}: {}", path, ::strerrordesc_np(error)));
  };
  // Opened for writing first: a mode without that bit is for later.
  const UniqueFd file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return refuse(errno);
  while (!text.empty()) {
    const ssize_t n = ::write(file.get(), text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return refuse(errno);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fchmod(file.get(), mode & 0777) < 0) return refuse(errno);
  return {};
}

/// The folder, all that is in it, and the way to it.
std::expected<void, std::string> hand_over(const fs::path& folder, const Confinement::User& owner) {
  const auto give = [&](const fs::path& path) {
    return ::lchown(path.c_str(), owner.uid, owner.gid);
  };
  const fs::path root = folder.parent_path();
  std::error_code error;
  fs::permissions(root, fs::perms::group_exec | fs::perms::others_exec, fs::perm_options::add,
                  error);
  if (error)
    return std::unexpected(
        fmt::format("cannot let others pass through {}: {}", root.string(), error.message()));
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder))
    if (give(entry.path()) < 0)
      return std::unexpected(fmt::format("cannot give {} to {}: {}", entry.path().string(),
                                         owner.name, ::strerrordesc_np(errno)));
  if (give(folder) < 0)
    return std::unexpected(fmt::format("cannot give {} to {}: {}", folder.string(), owner.name,
                                       ::strerrordesc_np(errno)));
  return {};
}

}  // namespace

bool needs_server_folder(const wire::node::Launch& launch) {
  constexpr std::string_view mark = "{server_dir}";
  const auto has_mark = [&](const std::string& text) {
    return text.find(mark) != std::string::npos;
  };
  return !launch.files().empty() || std::ranges::any_of(launch.command(), has_mark) ||
         std::ranges::any_of(launch.env(), [&](const auto& v) { return has_mark(v.value()); });
}

std::expected<void, std::string> write_server_files(const wire::node::Launch& launch,
                                                    const LaunchContext& context,
                                                    const std::optional<Confinement::User>& owner) {
  const std::string& folder = context.server_dir;
  const auto refuse = [&](std::string why) {
    remove_server_folder(folder);
    return std::unexpected(std::move(why));
  };
  remove_server_folder(folder);
  std::error_code error;
  fs::create_directories(fs::path(folder).parent_path(), error);
  if (::mkdir(folder.c_str(), 0700) < 0)
    return refuse(fmt::format("cannot make {}: {}", folder, ::strerrordesc_np(errno)));
  for (const wire::node::File& file : launch.files()) {
    if (!stays_within(file.path()))
      return refuse(fmt::format("fleet {}: the file \"{}\" would not be within its folder",
                                launch.fleet(), file.path()));
    auto text = fill_in(file.text(), launch, context);
    if (!text)
      return refuse(
          fmt::format("fleet {}: file \"{}\": {}", launch.fleet(), file.path(), text.error()));
    const fs::path path = fs::path(folder) / file.path();
    if (path.parent_path() != fs::path(folder)) fs::create_directories(path.parent_path(), error);
    if (auto written = write_file(path.string(), *text, file.mode()); !written)
      return refuse(std::move(written.error()));
  }
  if (owner)
    if (auto given = hand_over(folder, *owner); !given) return refuse(std::move(given.error()));
  return {};
}

void remove_server_folder(const std::string& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  if (error) fmt::print(stderr, "node: cannot remove {}: {}\n", folder, error.message());
}

}  // namespace muster::node
