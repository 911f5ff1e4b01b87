#include "core/match_rules.h"

#include <algorithm>
#include <numeric>
#include <tuple>

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

/// One value for two players who stay together; of a distance the sum. Nothing: they cannot.
std::optional<std::int64_t> of_both(const RuleConfig& rule, std::int64_t a, std::int64_t b) {
  switch (rule.kind) {
    case RuleKind::equal:
    case RuleKind::any_of:
      return (a & b) != 0 ? std::optional(a & b) : std::nullopt;
    case RuleKind::distance:
      return a + b;
    case RuleKind::min:
      return std::min(a, b);
    case RuleKind::max:
      return std::max(a, b);
  }
  return std::nullopt;
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

std::uint32_t players_least(const QueueConfig& queue) {
  std::int64_t least = queue.players_min.value_or(queue.players);
  for (const WidenConfig& widen : queue.widen)
    if (widen.limit == "players_min") least = std::min(least, widen.to);
  return static_cast<std::uint32_t>(least);
}

std::int64_t latency_widest(const QueueConfig& queue) {
  std::int64_t widest = queue.latency_max ? std::int64_t{*queue.latency_max} : no_limit;
  for (const WidenConfig& widen : queue.widen)
    if (widen.limit == "latency_max") widest = std::max(widest, widen.to);
  return widest;
}

std::vector<TeamConfig> team_groups(const QueueConfig& queue) {
  if (!queue.team.empty()) return queue.team;
  const std::uint32_t least = players_least(queue), teams = queue.teams;
  if (teams == 1) return {{"", queue.players, 1, least, {}}};
  if (teams == queue.players) return {{"", 1, teams, {}, least}};
  if (queue.players % teams == 0)
    return {{"", queue.players / teams, teams, (least + teams - 1) / teams, {}}};
  std::vector<TeamConfig> groups;
  for (const std::uint32_t size : team_sizes(queue)) groups.push_back({"", size, 1, {}, {}});
  return groups;
}

namespace {

/// Fewer in the largest teams first, in the last of those alike.
std::vector<std::uint32_t> even_sizes(std::vector<std::uint32_t> sizes, std::uint32_t players) {
  for (auto seats = std::accumulate(sizes.begin(), sizes.end(), 0u); seats > players; --seats)
    --*std::max_element(sizes.rbegin(), sizes.rend());
  return sizes;
}

/// Every way from this group of teams on.
void add_shapes(const std::vector<TeamConfig>& groups, std::size_t at, std::uint32_t least,
                MatchShape& shape, std::vector<MatchShape>& out) {
  if (out.size() >= shapes_max) return;
  if (at == groups.size()) {
    if (shape.players >= least) out.push_back(shape);
    return;
  }
  const TeamConfig& group = groups[at];
  const std::uint32_t count_min = group.count_min.value_or(group.count);
  const std::uint32_t players_min = group.players_min.value_or(group.players);
  for (std::uint32_t count = group.count; count >= count_min && count > 0; --count)
    for (std::uint32_t players = group.players; players >= players_min && players > 0; --players) {
      shape.players += count * players;
      shape.team_sizes.insert(shape.team_sizes.end(), count, players);
      shape.team_sizes.resize(shape.team_sizes.size() + group.count - count, 0);
      add_shapes(groups, at + 1, least, shape, out);
      shape.team_sizes.resize(shape.team_sizes.size() - group.count);
      shape.players -= count * players;
    }
}

}  // namespace

std::vector<MatchShape> match_shapes(const QueueConfig& queue) {
  const std::vector<std::uint32_t> sizes = team_sizes(queue);
  const std::uint32_t least = players_least(queue);
  std::vector<MatchShape> shapes;
  if (queue.bots) {
    for (std::uint32_t players = queue.players; players >= least && players > 0; --players)
      shapes.push_back({players, sizes, even_sizes(sizes, players)});
    return shapes;
  }
  if (least == queue.players) return {{queue.players, sizes, {}}};
  MatchShape shape;
  add_shapes(team_groups(queue), 0, least, shape, shapes);
  std::sort(shapes.begin(), shapes.end(), [](const MatchShape& a, const MatchShape& b) {
    return std::tie(b.players, b.team_sizes) < std::tie(a.players, a.team_sizes);
  });
  return shapes;
}

MatchRules compile(const QueueConfig& queue) {
  MatchRules out;
  out.team_sizes = team_sizes(queue);
  for (const std::uint32_t size : out.team_sizes) {
    out.players += size;
    out.team_size_max = std::max(out.team_size_max, size);
  }
  out.shapes = match_shapes(queue);
  out.players_min = curve_of(queue, "players_min", queue.players_min.value_or(queue.players));
  out.rating_limited = queue.rating_distance.has_value();
  out.team_rating_limited = queue.team_rating_distance.has_value();
  out.rating_distance =
      curve_of(queue, "rating_distance", queue.rating_distance.value_or(no_limit));
  out.team_rating_distance =
      curve_of(queue, "team_rating_distance", queue.team_rating_distance.value_or(no_limit));
  for (const RuleConfig& rule : queue.rules)
    out.rules.push_back({rule.kind, curve_of(queue, rule.name, rule.limit)});
  out.avoid_recent = curve_of(queue, "avoid_recent", queue.avoid_recent);
  out.regions = static_cast<std::uint32_t>(queue.region.size());
  out.latency_max = curve_of(queue, "latency_max",
                             queue.latency_max ? std::int64_t{*queue.latency_max} : no_limit);
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

std::expected<std::vector<std::int64_t>, std::string> rule_values(
    const QueueConfig& queue, const std::vector<TicketMember>& members) {
  auto together = rule_values(queue, members.front().attributes);
  for (std::size_t i = 1; i < members.size() && together; ++i) {
    const auto more = rule_values(queue, members[i].attributes);
    if (!more) return more;
    for (std::size_t at = 0; at < queue.rules.size(); ++at) {
      const RuleConfig& rule = queue.rules[at];
      if (const auto both = of_both(rule, (*together)[at], (*more)[at]))
        (*together)[at] = *both;
      else
        return std::unexpected('"' + rule.attribute + "\" differs among those who play together");
    }
  }
  for (std::size_t at = 0; together && at < queue.rules.size(); ++at)
    if (queue.rules[at].kind == RuleKind::distance)
      (*together)[at] /= static_cast<std::int64_t>(members.size());
  return together;
}

Rating rating_together(const QueueConfig& queue, const std::vector<Rating>& ratings) {
  const auto count = static_cast<std::int64_t>(ratings.size());
  std::int64_t together = 0;
  switch (queue.party_rating) {
    case PartyRating::average:
      together = std::accumulate(ratings.begin(), ratings.end(), std::int64_t{0});
      together = (together + (together < 0 ? -count / 2 : count / 2)) / count;
      break;
    case PartyRating::highest:
      together = *std::max_element(ratings.begin(), ratings.end());
      break;
    case PartyRating::lowest:
      together = *std::min_element(ratings.begin(), ratings.end());
      break;
  }
  together += (count - 1) * queue.party_rating_bonus;
  return static_cast<Rating>(std::min<std::int64_t>(together, rating_max));
}

}  // namespace muster::core
