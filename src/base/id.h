#pragma once
// Ids of things kept in a SlotMap: a slot and the generation of what sits in it.

#include <charconv>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace muster {

/// An id is its own type per Tag, and a stale one misses: when a slot is used again its generation
/// has grown. Generation 0 is never issued, so a default Id means "none".
template <class Tag>
struct Id {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;

  explicit operator bool() const { return generation != 0; }
  auto operator<=>(const Id&) const = default;
};

/// "slot.generation", e.g. "41.3": how an id is written on the wire, in logs and by `muster ctl`.
template <class Tag>
std::string to_string(Id<Tag> id) {
  return std::to_string(id.slot) + '.' + std::to_string(id.generation);
}

/// The reverse of to_string. Nothing for any other text, and for generation 0.
template <class IdType>
std::optional<IdType> parse_id(std::string_view text) {
  IdType id;
  const char* const end = text.data() + text.size();
  const auto [dot, slot_error] = std::from_chars(text.data(), end, id.slot);
  if (slot_error != std::errc{} || dot == end || *dot != '.') return std::nullopt;
  const auto [rest, generation_error] = std::from_chars(dot + 1, end, id.generation);
  if (generation_error != std::errc{} || rest != end || !id) return std::nullopt;
  if (to_string(id) != text) return std::nullopt;  // "01.1": one id has one spelling.
  return id;
}

}  // namespace muster
