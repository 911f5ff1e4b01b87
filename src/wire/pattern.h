#pragma once
// Regular expressions over what game servers print and answer.

#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace muster::wire {

/// A regular expression in RE2's syntax, over bytes: whatever a server prints can be looked
/// through, in time linear in its length, with memory bounded. Copies share one.
class Pattern {
 public:
  static constexpr std::size_t bytes_max = 1024;  // Of its text.

  /// Matches nothing.
  Pattern() = default;
  /// The error is for people: what is wrong with the expression, and where.
  static std::expected<Pattern, std::string> compile(std::string_view text);

  explicit operator bool() const { return expression_ != nullptr; }

  /// Whether it is found anywhere in the bytes.
  bool is_in(std::string_view bytes) const;

  /// What the group of that name captured; without such a group, the first; "" if there is none,
  /// or it took no part. Nothing if the expression is not found.
  std::optional<std::string_view> find(std::string_view bytes, std::string_view group) const;

  int groups() const;
  bool has_group(std::string_view name) const;

 private:
  explicit Pattern(std::shared_ptr<const re2::RE2> expression);

  std::shared_ptr<const re2::RE2> expression_;
};

/// How many players an answer says there are: the group named `players`, or the first, in decimal
/// digits; or the group named `players_byte`, one byte whose value it is. Nothing if the expression
/// is not found, or what it captured is no number.
std::optional<unsigned> players_in(const Pattern& pattern, std::string_view answer);

}  // namespace muster::wire
