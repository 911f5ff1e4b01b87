#include "core/result.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace muster::core {
namespace {

std::string name_of(const Standing& standing) {
  return standing.player ? "player " + to_string(standing.player)
                         : fmt::format("team {}", standing.team);
}

}  // namespace

std::string_view to_string(RatingSystem system) {
  constexpr std::string_view names[] = {"none", "openskill", "glicko2", "elo"};
  return names[static_cast<std::size_t>(system)];
}

std::uint32_t caution(RatingSystem system) {
  switch (system) {
    case RatingSystem::openskill:
      return 3;  // What is usual with it: its "ordinal".
    case RatingSystem::glicko2:
      return 2;  // Its paper's interval of 95 %.
    case RatingSystem::none:
    case RatingSystem::elo:
      return 0;
  }
  return 0;
}

Rating usable(const RatingConfig& config, Rating mean, std::uint32_t deviation) {
  if (config.use == RatingUse::mean) return mean;
  const std::int64_t sure = mean - std::int64_t{caution(config.system)} * deviation;
  return static_cast<Rating>(std::clamp<std::int64_t>(sure, -rating_max, rating_max));
}

bool has_teams(const std::vector<ResultPlayer>& players) {
  return std::ranges::any_of(
      players, [&](const ResultPlayer& player) { return player.team != players.front().team; });
}

std::expected<std::vector<ResultPlayer>, std::string> judge(
    const Roster& roster, const std::vector<Standing>& standings) {
  if (standings.size() > standings_max)
    return std::unexpected(
        fmt::format("there are {}; at most {}", standings.size(), standings_max));
  std::map<PlayerId, const Standing*> of_players;
  std::map<std::uint32_t, const Standing*> of_teams;
  for (const Standing& standing : standings) {
    if (standing.rank < 1 || standing.rank > Standing::rank_max)
      return std::unexpected(fmt::format("the rank of {} is {}; must be 1 to {}", name_of(standing),
                                         standing.rank, Standing::rank_max));
    if (standing.played > Standing::whole)
      return std::unexpected(
          fmt::format("{} has played more than the whole match", name_of(standing)));
    const bool known = std::ranges::any_of(roster, [&](const RosterEntry& entry) {
      return standing.player ? entry.player == standing.player : entry.team == standing.team;
    });
    if (!known) return std::unexpected(name_of(standing) + " is not of this match");
    const bool first = standing.player ? of_players.emplace(standing.player, &standing).second
                                       : of_teams.emplace(standing.team, &standing).second;
    if (!first) return std::unexpected(name_of(standing) + " has two standings");
  }
  std::vector<ResultPlayer> players;
  std::map<std::uint32_t, std::uint32_t> ranks;  // By team.
  bool teams_agree = true;
  for (const RosterEntry& entry : roster) {
    const auto own = of_players.find(entry.player);
    const auto teams = of_teams.find(entry.team);
    if (own == of_players.end() && teams == of_teams.end())
      return std::unexpected(fmt::format("nothing is said of player {}", to_string(entry.player)));
    const Standing& standing = own != of_players.end() ? *own->second : *teams->second;
    const auto [rank, first] = ranks.emplace(entry.team, standing.rank);
    teams_agree = teams_agree && rank->second == standing.rank;
    players.push_back(
        {entry.name, entry.account, entry.team, standing.rank, standing.score, standing.played});
  }
  if (ranks.size() > 1 && !teams_agree)
    return std::unexpected(std::string("players of one team have different ranks"));
  return players;
}

}  // namespace muster::core
