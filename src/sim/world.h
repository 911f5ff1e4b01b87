#pragma once
// One simulated run: players, a machine with game servers, faults, and the real core between them,
// in virtual time, from one seed. Single-threaded; reads no clock.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "base/slot_map.h"
#include "core/core.h"
#include "sim/history.h"
#include "sim/laws.h"
#include "sim/machine.h"
#include "sim/players.h"
#include "sim/recorder.h"
#include "sim/report.h"
#include "sim/setting.h"

namespace muster::sim {

struct WorldOptions {
  std::uint32_t minutes = 10;  // Of virtual time with faults; healing comes after. At least 1.
  /// Less than the seed has drawn, to see what a failure needs: so many people (0: all of them),
  /// and faults, by name, that do not happen.
  std::uint32_t people_max = 0;
  std::vector<std::string> without;
  /// Breaks a law on purpose, to see that it is noticed: the nth assignment is not delivered, to
  /// the players or to the laws. 0: none.
  std::uint32_t canary_drops_assignment = 0;
  /// What a lobby that comes back with its memory makes of the state it had: through bytes and
  /// back, where whoever runs the World knows how. Empty: it is simply still there.
  std::function<std::unique_ptr<core::State>(const core::State&)> through_bytes;
  /// Also after every so many steps, as if it had been a snapshot. 0: only when it comes back.
  std::uint32_t through_bytes_every = 0;
  /// Whether machines are lost: for that, a state has to go through bytes.
  bool machines_lost = false;
  /// Sees every event, and the state after it.
  std::function<void(Time, const core::Event&, const core::State&)> on_step;
};

/// What repeats a run.
std::string command_of(std::uint64_t seed, const WorldOptions& options);

/// Who is at the far end of a connection to the lobby.
struct SessionOwner {
  enum class Kind : std::uint8_t { person, game_server, intruder };
  Kind kind = Kind::intruder;
  std::uint32_t person = 0;
  core::ServerId server;
};

class World {
 public:
  World(std::uint64_t seed, const WorldOptions& options);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// The whole run: faults, healing, everybody leaves, the lobby stops. Once per World.
  /// Throws LawBroken whose text has the law, seed, virtual time, the last events and effects and
  /// the command that repeats it.
  void run();

  /// A World of the same seed and options, not yet run.
  std::unique_ptr<World> replay() const;

  /// Every event and effect, the core's final state, and the last draw of each generator.
  std::uint64_t digest() const { return history_.digest(); }
  const Report& report() const { return report_; }
  const Setting& setting() const { return setting_; }
  /// What a broken law or a failed CHECK needs beside it.
  std::string context() const;

  // ---- For the parts of the world.

  Time now() const { return now_; }
  void after(Duration delay, std::function<void()> f);
  /// Steps the core now. `stale`: the event names what is gone, so nothing may come of it.
  void step(const core::Event& event, bool stale = false);
  const core::State& state() const { return core_->state(); }
  const FaultRates& rates() const { return rates_; }
  Marks& marks() { return report_.marks; }
  Laws& laws() { return *laws_; }
  Machine& machine() { return machine_; }
  Crowd& crowd() { return crowd_; }
  Recorder& recorder() { return recorder_; }
  void note(std::string text) { history_.note(now_, std::move(text)); }

  core::SessionId open_session(SessionOwner owner, bool resumable);
  /// The far end sends something: it arrives after a while, in order, unless the session has
  /// closed by then. `event.session` is set here.
  template <class Event>
  void say(core::SessionId session, Event event) {
    event.session = session;
    arrive(session, [this, session, event = std::move(event)] {
      if (sessions_.find(session)) arrives([&] { step(event); });
    });
  }
  /// The far end closes, after what it has said.
  void hang_up(core::SessionId session);

  /// The operator changes the configuration; also of lobbies to come.
  void reload(core::Config config);
  /// The lobby dies and comes back, with or without its memory (Faults::journal); the node and its
  /// game servers live on.
  void restart_lobby(Duration down);
  /// What the disk has by now, if the machine is lost with all that comes later: it goes on from
  /// there, without game servers. Nothing if the lobby has changed its configuration meanwhile, or
  /// lost its memory anyway.
  void sync_disk();
  void lose_machine(Duration down);
  /// The same, of the next thing that comes over a wire: before its journal has it, so that it
  /// never came; or when its journal has it and nothing of what came of it has left.
  enum class Death : std::uint8_t { none, before_journal, before_effects };
  void die_of_next(Death death, Duration down) { death_ = death, death_down_ = down; }
  /// Something comes over a wire: a turn of the lobby.
  template <class F>
  void arrives(F&& turn) {
    const Death death = std::exchange(death_, Death::none);
    withheld_ = death == Death::before_effects;
    if (death != Death::before_journal) turn();
    withheld_ = false;
    if (death == Death::none) return;
    marks().hit(death == Death::before_journal ? Mark::died_before_journal
                                               : Mark::died_before_effects);
    restart_lobby(death_down_);
  }

 private:
  struct Session {
    SessionOwner owner;
    Time last_arrival{};
  };
  struct Pending {
    Time at;
    std::uint64_t sequence;
    std::function<void()> run;
  };
  static bool later(const Pending& a, const Pending& b) {
    return std::pair(a.at, a.sequence) > std::pair(b.at, b.sequence);
  }

  void live();
  void heal();
  void settle_with_players();
  void settle_without_players();
  void settle_drained();
  bool warm_only(core::FleetIndex index, bool forever) const;
  void stop_lobby();
  void run_for(Duration duration);
  void run_until(Time end, const std::function<bool()>& done);
  void wait_until(Duration limit, const char* law, const std::function<bool()>& done);
  void count(const core::State::Totals& before);
  void drop_assignment(core::Effects& effects);

  void arrive(core::SessionId session, std::function<void()> f);
  void close(core::SessionId session);
  void come_back();
  void go_through_bytes();
  void close_all();
  void deliver(const core::Effect& effect);

  std::uint64_t seed_;
  WorldOptions options_;
  Setting setting_;
  FaultRates rates_;  // As drawn, until healing.
  Prng prng_;         // Of the wires.
  Time now_{};
  std::vector<Pending> queue_;  // A heap; the earliest in front.
  std::uint64_t next_sequence_ = 0;
  Time stepped_at_{};
  Time reloaded_at_ = Time::min();
  std::uint32_t steps_at_now_ = 0;
  std::uint32_t assignments_ = 0;
  Death death_ = Death::none;  // The next.
  Duration death_down_{};
  struct Disk {
    std::unique_ptr<core::State> state;
    Laws laws;  // As they knew the lobby then.
  };
  std::unique_ptr<Disk> disk_;
  bool withheld_ = false;  // Effects do not leave.

  std::unique_ptr<core::Core> core_;
  SlotMap<core::SessionId, Session> sessions_;
  Report report_;
  History history_;
  std::unique_ptr<Laws> laws_;
  Machine machine_;
  Crowd crowd_;
  Recorder recorder_;
  FaultSource fault_source_;
};

}  // namespace muster::sim
