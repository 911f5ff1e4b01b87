#pragma once
// Small files: of the data folder, and those the kernel shows.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace muster::node {

/// The number at the beginning of a file, if there is one.
std::optional<std::uint32_t> read_number(const std::string& path);

/// All of it, or its first 256 KiB; empty if it cannot be read.
std::string read_text(const std::string& path);

/// Replaces the file whole (mode 0600): a reader sees the old or the new text. The error is a
/// sentence for people.
std::expected<void, std::string> write_text(const std::string& path, std::string_view text);

}  // namespace muster::node
