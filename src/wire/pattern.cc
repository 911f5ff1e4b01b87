#include "wire/pattern.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <charconv>
#include <vector>

namespace muster::wire {
namespace {

re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

Pattern::Pattern(std::shared_ptr<const re2::RE2> expression) : expression_(std::move(expression)) {}

std::expected<Pattern, std::string> Pattern::compile(std::string_view text) {
  if (text.size() > bytes_max)
    return std::unexpected(fmt::format("a regular expression of {} bytes; must be at most {}",
                                       text.size(), bytes_max));
  re2::RE2::Options options;
  options.set_encoding(re2::RE2::Options::EncodingLatin1);  // Bytes, not characters.
  options.set_log_errors(false);
  options.set_max_mem(1 << 20);
  auto expression = std::make_shared<const re2::RE2>(piece(text), options);
  if (!expression->ok())
    return std::unexpected(fmt::format("no regular expression: {}", expression->error()));
  return Pattern(std::move(expression));
}

bool Pattern::is_in(std::string_view bytes) const {
  return expression_ &&
         expression_->Match(piece(bytes), 0, bytes.size(), re2::RE2::UNANCHORED, nullptr, 0);
}

std::optional<std::string_view> Pattern::find(std::string_view bytes,
                                              std::string_view group) const {
  if (!expression_) return std::nullopt;
  const auto& names = expression_->NamedCapturingGroups();
  const auto named = names.find(std::string(group));
  const int index = named != names.end() ? named->second : std::min(groups(), 1);
  std::vector<re2::StringPiece> found(static_cast<std::size_t>(index) + 1);
  if (!expression_->Match(piece(bytes), 0, bytes.size(), re2::RE2::UNANCHORED, found.data(),
                          index + 1))
    return std::nullopt;
  if (index == 0 || !found.back().data()) return std::string_view{};
  return std::string_view(found.back().data(), found.back().size());
}

int Pattern::groups() const { return expression_ ? expression_->NumberOfCapturingGroups() : 0; }

bool Pattern::has_group(std::string_view name) const {
  return expression_ && expression_->NamedCapturingGroups().contains(std::string(name));
}

std::optional<unsigned> players_in(const Pattern& pattern, std::string_view answer) {
  if (pattern.has_group("players_byte")) {
    const auto byte = pattern.find(answer, "players_byte");
    if (!byte || byte->size() != 1) return std::nullopt;
    return static_cast<unsigned char>(byte->front());
  }
  const auto digits = pattern.find(answer, "players");
  if (!digits) return std::nullopt;
  unsigned players = 0;
  const auto [end, error] =
      std::from_chars(digits->data(), digits->data() + digits->size(), players);
  if (error != std::errc{} || end != digits->data() + digits->size()) return std::nullopt;
  return players;
}

}  // namespace muster::wire
