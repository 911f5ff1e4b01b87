#pragma once
// What game servers print and answer, made fit for protobuf strings and people's terminals.

#include <cstddef>
#include <string>
#include <string_view>

namespace muster::node {

/// The bytes as printable UTF-8: what is not becomes "?", one for each byte; no longer than
/// `bytes_max`.
std::string printable(std::string_view bytes, std::size_t bytes_max);

}  // namespace muster::node
