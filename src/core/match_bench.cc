// The matcher of queues with rules, with a thousand to a million tickets waiting: what it costs to
// add one that finds nobody, to cancel one, to let limits grow, to form a match; beside the floor,
// as many values in a std::set. `ns` is the CPU time of one operation, and `growth` the exponent
// that it grows with, n^growth, fitted to all sizes so far: 0.1 is what log n has between these.
// The floor's own growth is what caches cost.
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/prng.h"
#include "core/rule_matcher.h"

namespace muster::core {
namespace {

constexpr std::uint32_t apart = 2;  // Points between those who wait: out of each other's reach.
constexpr std::uint32_t batch = 256;

/// CPU time of this thread, so that what else the machine does counts little.
double nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e9 * static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec);
}

/// The slope of a straight line through the logarithms of sizes and times.
double exponent(const std::map<double, double>& times) {
  double n = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (const auto& [size, time] : times) {
    const double lx = std::log(size), ly = std::log(time);
    n += 1, x += lx, y += ly, xx += lx * lx, xy += lx * ly;
  }
  return (n * xy - x * y) / (n * xx - x * x);
}

/// Times pieces of a benchmark's loop.
class Watch {
 public:
  template <class F>
  void time(std::uint32_t operations, F&& f) {
    const double start = nanoseconds();
    f();
    spent_ += nanoseconds() - start;
    operations_ += operations;
  }
  void report(benchmark::State& state, const std::string& name, std::uint32_t size) const {
    static std::map<std::string, std::map<double, double>> all;
    const double ns = spent_ / operations_;
    std::map<double, double>& times = all[name];
    times[size] = ns;
    state.counters["ns"] = ns;
    if (times.size() > 1) state.counters["growth"] = exponent(times);
  }

 private:
  double spent_ = 0;
  double operations_ = 0;
};

std::uint32_t size_of(const benchmark::State& state) {
  return static_cast<std::uint32_t>(state.range(0));
}

template <class T>
void shuffle(std::vector<T>& values, Prng& prng) {
  for (auto i = static_cast<std::uint32_t>(values.size()); i > 1; --i)
    std::swap(values[i - 1], values[prng.below(i)]);
}

std::vector<std::uint32_t> numbers_below(std::uint32_t end) {
  std::vector<std::uint32_t> numbers(end);
  for (std::uint32_t i = 0; i < end; ++i) numbers[i] = i;
  return numbers;
}

/// A few different ones.
std::vector<std::uint32_t> some_below(std::uint32_t end, Prng& prng) {
  std::set<std::uint32_t> some;
  while (some.size() < batch) some.insert(prng.below(end));
  std::vector<std::uint32_t> order(some.begin(), some.end());
  shuffle(order, prng);
  return order;
}

QueueConfig duel() {
  QueueConfig queue;
  queue.players = queue.teams = 2;
  queue.rating_distance = apart - 1;
  return queue;
}

/// The same in eight regions, of which three or four are near enough for each; and everybody blocks
/// two others.
QueueConfig duel_in_regions() {
  QueueConfig queue = duel();
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h"})
    queue.region.push_back({name, 0});
  queue.latency_max = 100;
  return queue;
}

/// Tickets that wait and that nobody can be matched with, at even ratings.
class Pool {
 public:
  Pool(const QueueConfig& queue, std::uint32_t size)
      : matcher_(compile(queue)), regions_(queue.region.size()), places_(size) {
    std::vector<std::uint32_t> order = numbers_below(size);
    shuffle(order, prng_);
    for (const std::uint32_t i : order) add(i);
  }

  void add(std::uint32_t i) {
    places_[i] = matcher_.add(ticket(i), now_);
    now_ += Duration{1};
    CHECK(!matcher_.next_match(now_, found_), "nobody is in reach");
  }
  WaitingTicket ticket(std::uint32_t i) const {
    WaitingTicket ticket;
    ticket.id = {i, 1};
    ticket.since = now_;
    ticket.rating = static_cast<Rating>(apart * i);
    ticket.players = {{0, {i, 1}}};
    for (std::uint32_t region = 0; region < regions_; ++region)
      ticket.latency.push_back(static_cast<std::uint16_t>((i + region) % 8 * 30 + i % 20));
    if (regions_ > 0) ticket.shunned = {{{0, {i + 7, 1}}, 0}, {{0, {i + 9, 1}}, 0}};
    return ticket;
  }

  RuleMatcher matcher_;
  std::size_t regions_ = 0;
  std::vector<TicketPlace> places_;
  Time now_{};
  FoundMatch found_;
  Prng prng_{1};
};

// ---- One against one.

/// Puts many values into a std::set and takes them out again.
void floor_bench(benchmark::State& state) {
  const std::uint32_t size = size_of(state);
  Prng prng(1);
  std::vector<std::uint32_t> order = numbers_below(size);
  shuffle(order, prng);
  std::set<std::pair<Rating, std::uint32_t>> set;
  for (const std::uint32_t i : order) set.emplace(static_cast<Rating>(apart * i), i);
  Watch watch;
  for (auto _ : state) {
    const auto some = some_below(size, prng);
    watch.time(2 * batch, [&] {
      for (const std::uint32_t i : some) set.erase({static_cast<Rating>(apart * i), i});
      for (const std::uint32_t i : some) set.emplace(static_cast<Rating>(apart * i), i);
    });
  }
  watch.report(state, "floor", size);
}

void time_adding(benchmark::State& state, const QueueConfig& queue, const std::string& name) {
  Pool pool(queue, size_of(state));
  Watch watch;
  for (auto _ : state) {
    const auto some = some_below(size_of(state), pool.prng_);
    for (const std::uint32_t i : some) pool.matcher_.remove(pool.places_[i]);
    watch.time(batch, [&] {
      for (const std::uint32_t i : some) pool.add(i);
    });
  }
  watch.report(state, name, size_of(state));
}
void add_bench(benchmark::State& state) { time_adding(state, duel(), "add"); }
void add_in_regions_bench(benchmark::State& state) {
  time_adding(state, duel_in_regions(), "add in regions");
}

void cancel_bench(benchmark::State& state) {
  Pool pool(duel(), size_of(state));
  Watch watch;
  for (auto _ : state) {
    const auto some = some_below(size_of(state), pool.prng_);
    watch.time(batch, [&] {
      for (const std::uint32_t i : some) pool.matcher_.remove(pool.places_[i]);
    });
    for (const std::uint32_t i : some) pool.add(i);
  }
  watch.report(state, "cancel", size_of(state));
}

/// Limits grow for those who wait, one after the other, and help nobody.
void widen_bench(benchmark::State& state) {
  const std::uint32_t size = size_of(state);
  QueueConfig queue = duel();
  queue.rating_distance = 0;
  queue.widen.push_back({"rating_distance", seconds{10}, apart - 1});
  std::unique_ptr<Pool> pool;
  std::uint32_t left = 0;
  Watch watch;
  for (auto _ : state) {
    if (left < batch) pool = std::make_unique<Pool>(queue, size), left = size;
    left -= batch;
    watch.time(batch, [&] {
      for (std::uint32_t i = 0; i < batch; ++i) {
        pool->now_ = *pool->matcher_.next_widening();
        pool->matcher_.widen(pool->now_);
        CHECK(!pool->matcher_.next_match(pool->now_, pool->found_), "nobody is in reach");
      }
    });
  }
  watch.report(state, "widen", size);
}

/// Tickets come that one of those who wait can play with: each is added, found, and both are gone.
void time_matches_of_two(benchmark::State& state, const QueueConfig& queue,
                         const std::string& name) {
  const std::uint32_t size = size_of(state);
  Pool pool(queue, size);
  Watch watch;
  for (auto _ : state) {
    const auto some = some_below(size, pool.prng_);
    watch.time(batch, [&] {
      for (const std::uint32_t i : some) {
        WaitingTicket equal = pool.ticket(i);
        equal.id.slot = size;
        const TicketPlace place = pool.matcher_.add(std::move(equal), pool.now_);
        CHECK(pool.matcher_.next_match(pool.now_, pool.found_), "an equal waits");
        pool.matcher_.remove(place);
        pool.matcher_.remove(pool.places_[i]);
      }
    });
    for (const std::uint32_t i : some) pool.add(i);
  }
  watch.report(state, name, size);
}
void match_of_two_bench(benchmark::State& state) {
  time_matches_of_two(state, duel(), "match of two");
}
void match_of_two_in_regions_bench(benchmark::State& state) {
  time_matches_of_two(state, duel_in_regions(), "match of two in regions");
}

void sizes(benchmark::internal::Benchmark* bench) {
  for (const int size : {1000, 10'000, 100'000, 1'000'000}) bench->Arg(size);
}
BENCHMARK(floor_bench)->Apply(sizes);
BENCHMARK(add_bench)->Apply(sizes);
BENCHMARK(cancel_bench)->Apply(sizes);
BENCHMARK(widen_bench)->Apply(sizes);
BENCHMARK(match_of_two_bench)->Apply(sizes);
BENCHMARK(add_in_regions_bench)->Apply(sizes);
BENCHMARK(match_of_two_in_regions_bench)->Apply(sizes);

// ---- Teams.

/// Players arrive at random ratings, alone or in parties, and are matched as they come, while as
/// many tickets as the argument says wait out of reach. `ns` is for a match, with all of its
/// tickets' coming and going.
void teams_bench(benchmark::State& state, const std::string& name, const QueueConfig& queue) {
  RuleMatcher matcher(compile(queue));
  Prng prng(1);
  Time now{};
  std::uint32_t slot = 0;
  const std::uint32_t others = size_of(state);
  FoundMatch found;
  // Two of a rating, and nobody near them: out of the others' reach, and of a full match.
  for (; slot < others; ++slot) {
    WaitingTicket ticket;
    ticket.id = {slot, 1};
    ticket.rating = static_cast<Rating>(10'000 + 401 * (slot % 2000));
    ticket.seats = 1 + slot % matcher.rules().team_size_max;
    ticket.values = {std::int64_t{slot / 2000}};
    matcher.add(std::move(ticket), now);
  }
  while (matcher.next_match(now, found)) CHECK(false, "nobody is in reach");
  std::vector<TicketPlace> places;  // By slot, of those who come.
  Watch watch;
  double matches = 0;
  for (auto _ : state) {
    watch.time(1, [&] {
      for (bool matched = false; !matched; ++slot) {
        now += Duration{1};
        WaitingTicket ticket;
        ticket.id = {slot, 1};
        ticket.since = now;
        if (prng.below(3) == 0) ticket.seats = 1 + prng.below(matcher.rules().team_size_max);
        ticket.rating = static_cast<Rating>(prng.below(1000));
        ticket.values = {-1};
        places.push_back(matcher.add(std::move(ticket), now));
        while (matcher.next_match(now, found)) {
          matched = true;
          ++matches;
          for (const TicketId id : found.tickets) matcher.remove(places[id.slot - others]);
        }
      }
    });
  }
  watch.report(state, name, others);
  state.counters["tickets"] = static_cast<double>(slot - others) / matches;
  state.counters["cut"] = static_cast<double>(matcher.cuts());
}

QueueConfig teams_of(std::uint32_t players, std::uint32_t teams) {
  QueueConfig queue;
  queue.players = players;
  queue.teams = teams;
  queue.rating_distance = 200;
  queue.rules.push_back({"mode", "mode", RuleKind::equal, {"a"}, 0});
  return queue;
}

void five_against_five_bench(benchmark::State& state) {
  teams_bench(state, "5v5", teams_of(10, 2));
}
void sixty_players_bench(benchmark::State& state) { teams_bench(state, "60", teams_of(60, 15)); }
BENCHMARK(five_against_five_bench)->Apply(sizes);
BENCHMARK(sixty_players_bench)->Apply(sizes);

// ---- Memory.

std::size_t bytes_in_use() {
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

/// Bytes of the heap for each ticket that waits in the matcher.
void measure_tickets(benchmark::State& state, const QueueConfig& queue) {
  const std::uint32_t size = size_of(state);
  double bytes = 0;
  for (auto _ : state) {
    const std::size_t before = bytes_in_use();
    const Pool pool(queue, size);
    bytes = static_cast<double>(bytes_in_use() - before) / size - sizeof(TicketPlace);
  }
  state.counters["bytes"] = bytes;
}
void waiting_ticket_bench(benchmark::State& state) { measure_tickets(state, duel()); }
void waiting_ticket_in_regions_bench(benchmark::State& state) {
  measure_tickets(state, duel_in_regions());
}
BENCHMARK(waiting_ticket_bench)->Apply(sizes)->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK(waiting_ticket_in_regions_bench)
    ->Apply(sizes)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace muster::core
