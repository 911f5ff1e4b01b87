// Results and ratings: what a match came to is kept until it is known to be recorded; what comes of
// it is its players'.
#include <algorithm>
#include <utility>

#include "core/turn.h"

namespace muster::core {
namespace {

std::optional<QueueIndex> queue_named(const State& state, const std::string& name) {
  for (QueueIndex i = 0; i < state.queues.size(); ++i)
    if (!state.queues[i].removed && state.config.queues[i].name == name) return i;
  return std::nullopt;
}

/// Whether it is another than before.
bool set_rating(Player& player, QueueIndex queue, Rating mean, std::uint32_t deviation) {
  const auto known = std::ranges::find(player.ratings, queue, &PlayerRating::queue);
  if (known == player.ratings.end()) {
    player.ratings.push_back({queue, mean, deviation});
    return true;
  }
  const bool differs = known->mean != mean || known->deviation != deviation;
  *known = {queue, mean, deviation};
  return differs;
}

}  // namespace

void Turn::on(const SetRating& e) {
  Player* player = s_.players.find(e.player);
  const auto queue = queue_named(s_, e.queue);
  if (player && queue) set_rating(*player, *queue, e.rating, 0);
}

Rating Turn::rating_of(PlayerId id, QueueIndex queue) const {
  const QueueConfig& config = s_.config.queues[queue];
  const auto& ratings = s_.players[id].ratings;
  const auto known = std::ranges::find(ratings, queue, &PlayerRating::queue);
  return known != ratings.end()
             ? usable(config.rating, known->mean, known->deviation)
             : usable(config.rating, config.rating_default, config.rating.deviation);
}

/// The ratings that an account brings along, in the queues that there are.
void Turn::take_ratings(PlayerId id, const std::vector<StoredRating>& ratings) {
  for (const StoredRating& rating : ratings)
    if (const auto queue = queue_named(s_, rating.queue))
      set_rating(s_.players[id], *queue, rating.mean, rating.deviation);
}

/// A match that was played to its end: it is kept until ResultRecorded, whatever happens to this
/// process. A match of a queue that is not rated leaves nothing.
void Turn::keep_result(MatchId id, const std::vector<Standing>& standings) {
  const Match& match = s_.matches[id];
  if (standings.empty() || !match.queue || !match.roster) return;
  const QueueConfig& config = s_.config.queues[*match.queue];
  if (config.rating.system == RatingSystem::none) return;
  auto& totals = s_.totals;
  auto players = judge(*match.roster, standings);
  if (!players) {
    ++totals.results_refused;
    s_.result_refused = {id, now_, Error::standings_invalid, std::move(players.error())};
    return;
  }
  if (s_.results.size() >= s_.config.results_outstanding_max) {
    ++totals.results_refused;
    s_.result_refused = {id, now_, Error::storage_unavailable,
                         "results_outstanding_max results wait to be recorded"};
    return;
  }
  ++totals.results;
  const std::uint64_t number = ++s_.results_numbered;
  const MatchResult& result =
      s_.results
          .emplace(number, MatchResult{id, match.since, now_, config.name, config.rating_default,
                                       config.rating, *std::move(players)})
          .first->second;
  emit(RecordResult{number, std::make_shared<const MatchResult>(result)});
}

/// Whoever was to record them is gone with the process; what it had done, it does not do again.
void Turn::record_outstanding() {
  for (const auto& [number, result] : s_.results)
    emit(RecordResult{number, std::make_shared<const MatchResult>(result)});
}

void Turn::on(const ResultRecorded& e) {
  const auto found = s_.results.find(e.result);
  if (found == s_.results.end()) return;
  ++s_.totals.results_recorded;
  const std::string queue = std::move(found->second.queue);
  s_.results.erase(found);
  change_ratings(queue, e.ratings, true);
}

void Turn::on(const RatingsChanged& e) { change_ratings(e.queue, e.ratings, false); }

/// `always`: their players are told also of one that is as it was.
void Turn::change_ratings(const std::string& queue, const std::vector<AccountRating>& ratings,
                          bool always) {
  const auto index = queue_named(s_, queue);
  if (!index) return;
  for (const AccountRating& rating : ratings) {
    const auto account = s_.accounts.find(rating.account);
    if (account == s_.accounts.end()) continue;
    Player& player = s_.players[account->second];
    const bool differs = set_rating(player, *index, rating.mean, rating.deviation);
    if (player.session && (differs || always))
      emit(SendRating{player.session, 0, queue, rating.mean, rating.deviation, rating.change});
  }
}

}  // namespace muster::core
