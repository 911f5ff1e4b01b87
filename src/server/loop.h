#pragma once
// The one place every event passes: it gets a number and a time, the core is stepped, and its
// effects go out at the end of the turn.

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/core.h"
#include "server/clock.h"

namespace muster::server {

/// What is remembered of an event that passed, for /debug/events.
struct EventRecord {
  std::uint64_t number = 0;
  Time time{};
  std::string_view name;
  std::uint32_t effects = 0;
  Duration took{};
};

/// Turns of: wait for I/O, collect the events it brought, step the core with each in order, let the
/// effects out, flush the adapters once. Single-threaded; post() only from the loop's own thread.
class Loop {
 public:
  /// What the adapters offer. `apply` may post() further events; they are stepped in the same turn.
  struct Adapters {
    /// Each event before it is stepped, and once after all of a round: effects only leave then.
    std::function<void(std::uint64_t number, Time, const core::Event&)> record;
    std::function<void()> commit;
    /// Each event once it has been stepped, with what came of it; it is not recorded for good yet.
    std::function<void(Time, const core::Event&, std::span<const core::Effect>)> watch;
    std::function<void(const core::Effect&)> apply;
    std::function<void()> flush;           // End of the turn: send what has been collected.
    std::function<bool()> work_when_idle;  // A few microseconds of it; false if there is none.
  };

  /// Goes on after event `number`, whose time was `not_before`.
  Loop(boost::asio::io_context& io, core::Core core, std::uint64_t number = 0,
       Time not_before = {});

  void connect(Adapters adapters) { adapters_ = std::move(adapters); }
  void post(core::Event&& event) { events_.push_back(std::move(event)); }

  /// Runs turns until stop().
  void run();
  void stop() { stopped_ = true; }

  /// One turn's work on what has been posted; run() calls it, tests may.
  void turn();

  const core::Core& core() const { return core_; }
  std::uint64_t events() const { return number_; }
  Time started() const { return started_; }
  Time now() const { return clock_.now(); }
  /// Of the last turn, and so of the last event.
  Time turn_time() const { return now_; }

  /// The last ones, oldest first; at most records_max.
  const std::deque<EventRecord>& recent() const { return recent_; }
  static constexpr std::size_t records_max = 1000;

 private:
  void step(const core::Event& event);
  void arm_deadline();

  boost::asio::io_context& io_;
  core::Core core_;
  Adapters adapters_;
  Clock clock_;
  const Time started_ = clock_.now();
  Time now_ = started_;   // Of this turn.
  std::uint64_t number_;  // Of the last event.
  std::vector<core::Event> events_;
  std::vector<core::Event> stepping_;
  core::Effects effects_;
  std::deque<EventRecord> recent_;
  boost::asio::steady_timer deadline_;
  std::optional<Time> armed_;
  bool stopped_ = false;
};

}  // namespace muster::server
