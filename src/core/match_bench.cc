// The matcher of queues with rules, at pools of a thousand to a million waiting tickets: what it
// costs to add a ticket that finds nobody, to cancel one, to let limits grow, to find a match;
// beside the floor: the same number of values put into and taken out of a std::set. Items are
// operations.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <memory>
#include <set>
#include <vector>

#include "base/check.h"
#include "base/prng.h"
#include "core/rule_matcher.h"

namespace muster::core {
namespace {

constexpr std::uint32_t apart = 2;  // Points between those who wait: out of each other's reach.

QueueConfig duel() {
  QueueConfig queue;
  queue.players = queue.teams = 2;
  queue.rating_distance = apart - 1;
  return queue;
}

/// Tickets that wait and that nobody can be matched with, at even ratings.
class Pool {
 public:
  Pool(const QueueConfig& queue, std::uint32_t size)
      : matcher_(compile(queue)), places_(size), size_(size) {
    std::vector<std::uint32_t> order(size);
    for (std::uint32_t i = 0; i < size; ++i) order[i] = i;
    for (std::uint32_t i = size; i > 1; --i) std::swap(order[i - 1], order[prng_.below(i)]);
    for (const std::uint32_t i : order) add(i);
  }

  void add(std::uint32_t i) {
    places_[i] = matcher_.add({{i, 1}, now_, 1, static_cast<Rating>(apart * i), {}}, now_);
    now_ += Duration{1};
    CHECK(!matcher_.next_match(now_, found_), "nobody is in reach");
  }
  void cancel(std::uint32_t i) { matcher_.remove(places_[i]); }
  std::uint32_t any() { return prng_.below(size_); }

  RuleMatcher matcher_;
  std::vector<TicketPlace> places_;
  std::uint32_t size_;
  Time now_{};
  FoundMatch found_;
  Prng prng_{1};
};

/// The floor of an addition and a cancellation: one ordered container.
void set_bench(benchmark::State& state) {
  const auto size = static_cast<std::uint32_t>(state.range(0));
  Prng prng(1);
  std::set<std::pair<Rating, std::uint32_t>> set;
  std::vector<std::uint32_t> order(size);
  for (std::uint32_t i = 0; i < size; ++i) order[i] = i;
  for (std::uint32_t i = size; i > 1; --i) std::swap(order[i - 1], order[prng.below(i)]);
  for (const std::uint32_t i : order) set.emplace(static_cast<Rating>(apart * i), i);
  for (auto _ : state) {
    const std::uint32_t i = prng.below(size);
    set.erase({static_cast<Rating>(apart * i), i});
    set.emplace(static_cast<Rating>(apart * i), i);
  }
  state.SetItemsProcessed(state.iterations() * 2);
}
BENCHMARK(set_bench)->RangeMultiplier(10)->Range(1000, 1'000'000);

void cancel_and_add_bench(benchmark::State& state) {
  Pool pool(duel(), static_cast<std::uint32_t>(state.range(0)));
  for (auto _ : state) {
    const std::uint32_t i = pool.any();
    pool.cancel(i);
    pool.add(i);
  }
  state.SetItemsProcessed(state.iterations() * 2);
  state.SetComplexityN(state.range(0));
}
BENCHMARK(cancel_and_add_bench)
    ->RangeMultiplier(10)
    ->Range(1000, 1'000'000)
    ->Complexity(benchmark::oLogN);

/// A ticket comes that one of those who wait can play with; another takes its place.
void match_of_two_bench(benchmark::State& state) {
  Pool pool(duel(), static_cast<std::uint32_t>(state.range(0)));
  for (auto _ : state) {
    const std::uint32_t i = pool.any();
    const TicketPlace place = pool.matcher_.add(
        {{pool.size_, 1}, pool.now_, 1, static_cast<Rating>(apart * i), {}}, pool.now_);
    CHECK(pool.matcher_.next_match(pool.now_, pool.found_), "an equal waits");
    pool.matcher_.remove(place);
    pool.cancel(i);
    pool.add(i);
  }
  state.SetItemsProcessed(state.iterations());
  state.SetComplexityN(state.range(0));
}
BENCHMARK(match_of_two_bench)
    ->RangeMultiplier(10)
    ->Range(1000, 1'000'000)
    ->Complexity(benchmark::oLogN);

/// Limits grow for all who wait, one after the other, and help nobody.
void widen_bench(benchmark::State& state) {
  const auto size = static_cast<std::uint32_t>(state.range(0));
  QueueConfig queue = duel();
  queue.rating_distance = 0;
  queue.widen.push_back({"rating_distance", seconds{10}, apart - 1});
  std::unique_ptr<Pool> pool;
  std::uint32_t widened = size;
  for (auto _ : state) {
    if (widened == size) {
      state.PauseTiming();
      pool = std::make_unique<Pool>(queue, size);
      widened = 0;
      state.ResumeTiming();
    }
    pool->now_ = *pool->matcher_.next_widening();
    pool->matcher_.widen(pool->now_);
    CHECK(!pool->matcher_.next_match(pool->now_, pool->found_), "nobody is in reach");
    ++widened;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(widen_bench)->RangeMultiplier(10)->Range(1000, 1'000'000);

/// Players arrive at random ratings, alone or in parties, and are matched as they come, while as
/// many tickets as the argument says wait out of reach. Items are matches.
void team_match_bench(benchmark::State& state, std::uint32_t players, std::uint32_t teams) {
  QueueConfig queue;
  queue.players = players;
  queue.teams = teams;
  queue.rating_distance = 200;
  RuleMatcher matcher(compile(queue));
  Prng prng(1);
  Time now{};
  std::uint32_t slot = 0;
  const auto others = static_cast<std::uint32_t>(state.range(0));
  // One for every 201 points, from 10000 on: nobody's equal.
  for (; slot < others; ++slot)
    matcher.add({{slot, 1}, now, 1, static_cast<Rating>(10'000 + 201 * slot), {}}, now);
  FoundMatch found;
  while (matcher.next_match(now, found)) CHECK(false, "nobody is in reach");
  std::vector<TicketPlace> places;  // By slot, of those who come.
  for (auto _ : state) {
    for (bool matched = false; !matched; ++slot) {
      now += Duration{1};
      const std::uint32_t size = prng.below(3) == 0 ? 1 + prng.below(players / teams) : 1;
      const auto rating = static_cast<Rating>(prng.below(1000));
      places.push_back(matcher.add({{slot, 1}, now, size, rating, {}}, now));
      while (matcher.next_match(now, found)) {
        matched = true;
        for (const TicketId id : found.tickets) matcher.remove(places[id.slot - others]);
      }
    }
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["tickets_per_match"] =
      static_cast<double>(slot - others) / static_cast<double>(state.iterations());
  state.counters["cut"] = static_cast<double>(matcher.cuts());
}
void five_against_five_bench(benchmark::State& state) { team_match_bench(state, 10, 2); }
void sixty_players_bench(benchmark::State& state) { team_match_bench(state, 60, 15); }
BENCHMARK(five_against_five_bench)->Arg(0)->Arg(1000)->Arg(1'000'000);
BENCHMARK(sixty_players_bench)->Arg(0)->Arg(1000)->Arg(1'000'000);

/// Bytes of the heap for each ticket that waits in the matcher.
void waiting_ticket_bench(benchmark::State& state) {
  const auto bytes_in_use = [] {
    const auto info = mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  double bytes = 0;
  for (auto _ : state) {
    const std::size_t before = bytes_in_use();
    const Pool pool(duel(), static_cast<std::uint32_t>(state.range(0)));
    bytes = static_cast<double>(bytes_in_use() - before) / static_cast<double>(state.range(0));
  }
  state.counters["bytes_per_waiting_ticket"] = bytes - sizeof(TicketPlace);  // The bench's own.
}
BENCHMARK(waiting_ticket_bench)
    ->RangeMultiplier(10)
    ->Range(1000, 1'000'000)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace muster::core
