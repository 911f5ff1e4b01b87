#pragma once
// The simulated node: its link to the lobby and the game servers it runs.

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/prng.h"
#include "core/effect.h"
#include "core/event.h"

namespace muster::sim {

class World;

class Machine {
 public:
  Machine(World& world, std::uint64_t seed) : world_(world), prng_(seed) {}

  void connect();

  // ---- What the lobby asks. Anything over a link that is no more is lost.
  void launch(const core::LaunchServer& e);
  void stop(const core::StopServer& e);
  void start_match(const core::StartServerMatch& e);
  void end_match(const core::EndServerMatch& e);
  void verify_owner(const core::VerifyOwner& e);
  void acknowledged(const core::AcknowledgeReports& e);

  // ---- What its classic game servers hear on their own connections.
  void login_ok(core::ServerId server);
  void session_closed(core::ServerId server, core::SessionId session);
  /// Classic game servers see their players come: there is no message for it. After every step.
  void look_for_classic_matches();

  // ---- Faults.
  void lose_link(Duration down);
  void replace_link();
  /// The node and all it runs: its machine was restarted.
  void kill(Duration down);
  /// The node alone: the next one takes its game servers over.
  void kill_node(Duration down);
  /// `remembers`: it comes back as it was, so what it gave out is still good.
  void lobby_died(Duration down, bool remembers);
  /// Comes back at once; what hangs is killed, and nothing hangs any more.
  void heal();

  bool linked() const { return static_cast<bool>(link_); }
  std::uint32_t processes() const { return static_cast<std::uint32_t>(processes_.size()); }
  bool has(core::ServerId server) const { return processes_.contains(server); }
  /// Servers that are no more, and the matches they had: for stale events.
  const std::vector<core::ServerId>& gone() const { return gone_; }
  std::uint64_t unseed() { return prng_.next(); }

 private:
  struct Process {
    std::string fleet;
    std::uint32_t version = 0;
    std::uint16_t port = 0;
    core::NamedPorts ports;
    std::uint32_t pid = 0;
    bool classic = false;
    bool agones = false;
    core::ServerState held = core::ServerState::ready;  // Reserved or Allocated by its own word.
    bool plain = false;                                 // No SDK: seen from outside.
    bool watched_for_players = false;                   // Then: end.idle is set.
    std::uint32_t players = 0;                          // A plain one's, as they are counted.
    bool ready = false;
    bool stopping = false;
    bool hung = false;              // Does nothing until it is killed.
    bool given_up = false;          // Waits to be stopped, and nobody may have heard.
    core::MatchId match;            // As its SDK knows it; a classic one's is what it sees.
    std::uint32_t match_lobby = 0;  // The lobby that gave it: ids are unique in one lobby's life.
    std::uint32_t plan = 0;         // Raised when what it was about to do is off.
    core::SessionId session;
    std::vector<core::Standing> standings;  // How its match is going to end.
  };

  template <class F>
  void to_node(core::NodeId node, F f);
  template <class F>
  void later(core::ServerId id, Duration delay, F f);
  template <class F>
  void planned(core::ServerId id, Duration delay, F f);
  void tell(core::Event event);
  void send(std::uint64_t number, const core::Event& event);
  void launched(const core::LaunchServer& e);
  void start_classic(core::ServerId id, Process& process);
  void became_ready(core::ServerId id, Process& process);
  void hold_itself_perhaps(core::ServerId id, Process& process);
  void hold_itself(core::ServerId id, Process& process);
  void play(core::ServerId id, Process& process, core::MatchId match,
            std::shared_ptr<const core::Roster> roster);
  void play_plain(core::ServerId id, Process& process, Duration length);
  void count_players(core::ServerId id, Process& process, std::uint32_t players);
  void finish(core::ServerId id, Process& process, core::MatchId match);
  void exit(core::ServerId id, std::int32_t code, std::int32_t signal);
  void ended_unseen(core::ServerId id);
  void unlink();
  void connect_after(Duration down);
  std::vector<core::ServerReport> inventory() const;
  Duration between(Duration low, Duration high);

  World& world_;
  Prng prng_;
  core::NodeId link_;
  std::uint32_t links_ = 0;
  std::uint32_t lobbies_ = 0;
  std::uint32_t attempts_ = 0;  // To connect; the newest counts.
  Time last_to_lobby_{}, last_to_node_{};
  std::uint32_t next_pid_ = 1000;
  std::map<core::ServerId, Process> processes_;
  std::set<core::ServerId> on_their_way_;  // Launches.
  // Of this process of the node: what it has reported and nobody has acknowledged.
  std::uint32_t run_ = 1;
  std::uint64_t last_report_ = 0;
  std::map<std::uint64_t, core::Event> reports_;
  // While there is no node: what its record says that it runs; which of these have ended; and what
  // the others have to say, which their SDKs do when there is a node again.
  bool no_node_ = false;
  std::vector<core::ServerReport> on_record_;
  std::vector<core::ServerId> ended_unseen_;
  std::vector<core::Event> unsaid_;
  std::vector<core::ServerId> gone_;
};

}  // namespace muster::sim
