#include "core/match_rules.h"

#include <algorithm>

namespace muster::core {
namespace {

Curve curve_of(const QueueConfig& queue, const std::string& limit, std::int64_t first) {
  std::vector<std::pair<Duration, std::int64_t>> steps;
  for (const WidenConfig& widen : queue.widen)
    if (widen.limit == limit) steps.emplace_back(widen.after, widen.to);
  std::sort(steps.begin(), steps.end());
  return {first, std::move(steps)};
}

const Attribute* find(const std::vector<Attribute>& attributes, const std::string& name) {
  const auto found = std::find_if(attributes.begin(), attributes.end(),
                                  [&](const Attribute& a) { return a.name == name; });
  return found == attributes.end() ? nullptr : &*found;
}

std::expected<std::int64_t, std::string> bit_of(const RuleConfig& rule, const std::string& value) {
  const auto found = std::find(rule.values.begin(), rule.values.end(), value);
  if (found == rule.values.end())
    return std::unexpected('"' + rule.attribute + "\" cannot be \"" + value.substr(0, 60) + '"');
  return std::int64_t{1} << (found - rule.values.begin());
}

/// The limit for somebody who has waited as long as it takes.
std::int64_t widest(const QueueConfig& queue, const RuleConfig& rule) {
  std::int64_t value = rule.limit;
  for (const WidenConfig& widen : queue.widen)
    if (widen.limit == rule.name)
      value = rule.kind == RuleKind::min ? std::min(value, widen.to) : std::max(value, widen.to);
  return value;
}

std::expected<std::int64_t, std::string> value_of(const QueueConfig& queue, const RuleConfig& rule,
                                                  const Attribute* attribute) {
  const bool number_wanted =
      rule.kind == RuleKind::distance || rule.kind == RuleKind::min || rule.kind == RuleKind::max;
  const auto wanted = [&](const char* what) {
    return std::unexpected('"' + rule.attribute + "\" must be " + what);
  };
  if (number_wanted) {
    const auto* number = attribute ? std::get_if<double>(&attribute->value) : nullptr;
    if (!number) return wanted("a number");
    const auto value = thousandths(*number);
    if (!value) return wanted("from -1e9 to 1e9");
    const std::int64_t limit = widest(queue, rule);
    if (rule.kind == RuleKind::min && *value < limit) return wanted("higher to play here");
    if (rule.kind == RuleKind::max && *value > limit) return wanted("lower to play here");
    return *value;
  }
  if (const auto* text = attribute ? std::get_if<std::string>(&attribute->value) : nullptr)
    return bit_of(rule, *text);
  const auto* texts =
      attribute ? std::get_if<std::vector<std::string>>(&attribute->value) : nullptr;
  if (rule.kind == RuleKind::equal) return wanted("a text");
  if (!texts || texts->empty()) return wanted("a text, or several");
  std::int64_t bits = 0;
  for (const std::string& text : *texts) {
    const auto bit = bit_of(rule, text);
    if (!bit) return bit;
    bits |= *bit;
  }
  return bits;
}

}  // namespace

std::vector<std::uint32_t> team_sizes(const QueueConfig& queue) {
  std::vector<std::uint32_t> sizes;
  for (const TeamConfig& team : queue.team) sizes.insert(sizes.end(), team.count, team.players);
  if (!sizes.empty()) return sizes;
  sizes.resize(queue.teams);
  for (std::uint32_t seat = 0; seat < queue.players; ++seat)
    ++sizes[seat * queue.teams / queue.players];
  return sizes;
}

MatchRules compile(const QueueConfig& queue) {
  MatchRules out;
  out.team_sizes = team_sizes(queue);
  for (const std::uint32_t size : out.team_sizes) {
    out.players += size;
    out.team_size_max = std::max(out.team_size_max, size);
  }
  out.rating_limited = queue.rating_distance.has_value();
  out.team_rating_limited = queue.team_rating_distance.has_value();
  out.rating_distance =
      curve_of(queue, "rating_distance", queue.rating_distance.value_or(no_limit));
  out.team_rating_distance =
      curve_of(queue, "team_rating_distance", queue.team_rating_distance.value_or(no_limit));
  for (const RuleConfig& rule : queue.rules)
    out.rules.push_back({rule.kind, curve_of(queue, rule.name, rule.limit)});
  for (const WidenConfig& widen : queue.widen) out.widenings.push_back(widen.after);
  std::sort(out.widenings.begin(), out.widenings.end());
  out.widenings.erase(std::unique(out.widenings.begin(), out.widenings.end()), out.widenings.end());
  return out;
}

std::expected<std::vector<std::int64_t>, std::string> rule_values(
    const QueueConfig& queue, const std::vector<Attribute>& attributes) {
  std::vector<std::int64_t> values;
  for (const RuleConfig& rule : queue.rules) {
    const auto value = value_of(queue, rule, find(attributes, rule.attribute));
    if (!value) return std::unexpected(value.error());
    values.push_back(*value);
  }
  return values;
}

}  // namespace muster::core
