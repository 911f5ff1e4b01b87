#pragma once
// What must hold whatever happens, checked from outside: on the stream of events and effects.
// The core's state is read only where silence is right (somebody is away) and to cross-check
// counts.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/time.h"
#include "core/effect.h"
#include "core/event.h"
#include "core/state.h"
#include "sim/report.h"
#include "sim/setting.h"

namespace muster::sim {

/// what(): the law in one sentence. World adds seed, time and history.
class LawBroken : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Sees every step. Throws LawBroken.
class Laws {
 public:
  Laws(const Setting& setting, Report& report) : setting_(setting), report_(report) {}

  struct Step {
    const core::Event& event;
    Time now;
    const core::Effects& effects;
    const core::State& state;  // After it.
    bool late = false;         // Deadlines were due before the event.
    bool stale = false;        // The event names what is gone: nothing may come of it.
  };
  void observe(const Step& step);

  /// Nothing holds this server's port any more: its process is gone, or its launch never arrived.
  void process_gone(core::ServerId server);

  /// Nor any other's.
  void processes_gone() { processes_.clear(); }

  /// The next event is this report, of this process of the node. `kept`: none may be missing.
  void report(std::uint32_t run, std::uint64_t number, bool kept);

  /// The lobby lost all it knew. Ports are still held by the processes there are.
  void lobby_restarted();

  /// From now on no ticket may fail: faults have stopped, and their traces are gone.
  void expect_no_failures() { failures_allowed_ = false; }

 private:
  struct SessionView {
    bool resumable = true;
    bool closing = false;
    core::PlayerId player;
  };
  struct PlayerView {
    core::SessionId session;
    core::TicketId ticket;
    core::MatchId match;
    Time since{};           // Of the ticket, also after it became an assignment.
    bool requeued = false;  // A ticket with that `since` is announced.
    core::PartyId party{};  // As they were told.
    bool accepted = false;  // The match that is offered.
    Time penalized{};       // The end of the last penalty.
  };
  struct TicketView {
    std::set<core::PlayerId> players;  // Who know of it.
    std::string queue;
    std::uint32_t seats = 0;   // 0: not known.
    std::uint32_t needed = 0;  // Of the match it was matched for.
    core::TicketState state = core::TicketState::queued;
    Time since{};
  };
  struct MatchView {
    core::ServerId server;
    std::shared_ptr<const core::Roster> roster;
    std::set<core::PlayerId> owed;  // An assignment.
  };
  using Matches = std::map<core::MatchId, MatchView>;
  struct ServerView {
    core::FleetIndex fleet = 0;
    core::MatchId match;
    core::MatchId launched_for;
    core::NodeId stopped_over;  // The link that carried StopServer.
    Duration launch_timeout{};  // Of its launch.
    bool played = false;
    bool held = false;  // Reserved or Allocated by its own word, and the core knows.
    bool known = true;  // To the core; not any more if its node was away for too long.
  };

  void before(const Step& step);
  void note_hold(core::ServerId server, const Step& step);
  void after(const Step& step);

  void on(const core::SendWelcome& e, const Step& step);
  void on(const core::SendError& e, const Step& step);
  void on(const core::SendTicket& e, const Step& step);
  void on(const core::SendAssignment& e, const Step& step);
  void on(const core::SendMatchEnded& e, const Step& step);
  void on(const core::SendParty& e, const Step& step);
  void on(const core::SendServerLoginOk& e, const Step& step);
  void on(const core::CloseSession& e, const Step& step);
  void on(const core::LaunchServer& e, const Step& step);
  void on(const core::StopServer& e, const Step& step);
  void on(const core::StartServerMatch& e, const Step& step);
  void on(const core::RemoveServerPlayer& e, const Step& step);
  void on(const core::EndServerMatch& e, const Step& step);
  void on(const core::VerifyOwner& e, const Step& step);
  void on(const core::RecordResult& e, const Step& step);
  void on(const core::SendRating& e, const Step& step);
  void on(const core::AcknowledgeReports& e, const Step& step);

  SessionView& open_session(core::SessionId id, std::uint32_t request, const Step& step);
  core::PlayerId player_of(core::SessionId id, std::uint32_t request, const Step& step);
  TicketView& ticket_begins(const core::SendTicket& e, core::PlayerId player, const Step& step);
  static bool is_order(const core::Event& event);
  void check_needed(const core::SendTicket& e, TicketView& ticket, bool resumed);
  void check_move(const core::SendTicket& e, TicketView& ticket, bool resumed);
  void check_line(core::TicketId id, const TicketView& ticket);
  void end_unseen(core::PlayerId id, PlayerView& player);
  void ticket_ends(core::TicketId id, core::PlayerId player);
  void check_offer(const core::SendTicket& e, PlayerView& player);
  void check_parties(const Step& step);
  void check_penalties(const Step& step);
  bool everybody_here(const TicketView& ticket) const;
  MatchView& match_begins(core::MatchId id, core::ServerId server, const std::string& queue,
                          const std::shared_ptr<const core::Roster>& roster, const Step& step);
  Matches::iterator match_over(Matches::iterator match);
  void session_closes(core::SessionId id);
  void forget(core::PlayerId id);
  bool linked(core::NodeId node) const { return node && (node == link_ || node == link_before_); }

  void check_replies(const Step& step);
  void check_resumed(const Step& step);
  void check_away(const Step& step);
  void check_matches(const Step& step);
  void check_servers(const Step& step);

  std::uint32_t node_run_ = 0;
  std::optional<std::uint64_t> last_report_;  // Of that run; nothing: not known.

  [[noreturn]] static void broken(const std::string& law);
  static void must(bool holds, const char* law) {
    if (!holds) [[unlikely]]
      broken(law);
  }

  const Setting& setting_;
  Report& report_;
  bool failures_allowed_ = true;

  std::map<core::SessionId, SessionView> sessions_;
  std::map<core::PlayerId, PlayerView> players_;
  std::map<core::TicketId, TicketView> tickets_;
  Matches matches_;
  std::map<core::ServerId, ServerView> servers_;
  std::set<std::pair<core::TicketId, core::PlayerId>> ended_;    // For whom.
  std::set<core::ServerId> launched_;                            // Every id of this lobby.
  std::map<core::ServerId, std::set<std::uint16_t>> processes_;  // Live, with their ports.
  core::NodeId link_;

  // Of the step being observed.
  core::SessionId asker_;
  std::uint32_t request_ = 0;
  std::uint32_t replies_ = 0;
  core::SessionId leaving_;   // Closes in this step, after what was due before.
  core::NodeId link_before_;  // Where something was due before.
  core::PlayerId resumed_;
  bool resumed_told_ = false;
  std::vector<core::PlayerId> answered_;   // Whose offer is none any more.
  std::vector<core::ServerId> strangers_;  // Reported by a node, unknown to the core so far.
};

}  // namespace muster::sim
