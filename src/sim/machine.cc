// The link, and the messages over it; what game servers do is in game_servers.cc.
#include "sim/machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sim/machine_inl.h"
#include "sim/world.h"

namespace muster::sim {

void Machine::connect() {
  ++attempts_;
  link_ = core::NodeId{0, ++links_};
  // What this lobby, or the one whose memory it has, has not heard; then what there is now.
  core::NodeConnected hello{link_, "node", "198.51.100.7", {}, {}, fmt::format("run{}", run_)};
  for (const auto& node : world_.state().nodes)
    if (node->run == hello.run) hello.reported = node->reported;
  const bool another = std::exchange(no_node_, false);
  for (const core::ServerId server : std::exchange(ended_unseen_, {}))
    reports_.emplace(++last_report_,
                     core::ServerExited{server, -1, 0, "its last words", {}, {}, /*unknown=*/true});
  for (const auto& [number, event] : std::map(reports_)) {
    if (number <= hello.reported) continue;
    world_.marks().hit(Mark::reported_late);
    world_.laws().report(run_, number, world_.setting().faults.events_kept);
    world_.step(event);
    hello.reported = number;
  }
  hello.servers = another ? std::exchange(on_record_, {}) : inventory();
  std::erase_if(hello.servers, [this](const auto& server) { return !has(server.server); });
  world_.step(hello);
  for (core::Event& event : std::exchange(unsaid_, {})) tell(std::move(event));
}

void Machine::connect_after(Duration down) {
  world_.after(down, [this, attempt = ++attempts_] {
    if (attempt == attempts_ && !link_) connect();
  });
}

std::vector<core::ServerReport> Machine::inventory() const {
  std::vector<core::ServerReport> reports;
  for (const auto& [id, process] : processes_)
    reports.push_back(
        {id, process.fleet, process.port, process.pid,
         process.ready && !process.classic && process.held == core::ServerState::ready,
         process.classic ? core::MatchId{} : process.match, process.version,
         process.held == core::ServerState::reserved, process.held == core::ServerState::allocated,
         false, process.ports, process.players});
  return reports;
}

/// What is on its way is lost, in both directions.
void Machine::unlink() {
  if (!link_) return;
  link_ = {};
  for (const core::ServerId server : std::exchange(on_their_way_, {}))
    world_.laws().process_gone(server);
}

void Machine::lose_link(Duration down) {
  if (!link_) return;
  const core::NodeId was = link_;
  unlink();
  world_.step(core::NodeLost{was});
  connect_after(down);
}

/// The node has noticed and is back before the lobby has noticed.
void Machine::replace_link() {
  if (!link_) return;
  const core::NodeId was = link_;
  unlink();
  world_.marks().hit(Mark::node_link_replaced);
  connect();
  world_.step(core::NodeLost{was}, true);
}

void Machine::kill(Duration down) {
  world_.marks().hit(Mark::machine_restarted);
  no_node_ = false;
  on_record_.clear();
  ended_unseen_.clear();
  unsaid_.clear();
  const core::NodeId was = link_;
  unlink();
  while (!processes_.empty()) exit(processes_.begin()->first, -1, 9);
  reports_.clear();
  ++run_;
  last_report_ = 0;
  if (was) world_.step(core::NodeLost{was});
  connect_after(down);
}

/// Its record has what was reported, and what it runs.
void Machine::kill_node(Duration down) {
  if (no_node_) return;
  world_.marks().hit(Mark::node_killed);
  const core::NodeId was = link_;
  on_record_ = inventory();
  no_node_ = true;
  unlink();
  if (was) world_.step(core::NodeLost{was});
  connect_after(down);
}

void Machine::lobby_died(Duration down, bool remembers) {
  if (!remembers) ++lobbies_;
  unlink();
  for (auto& [id, process] : processes_) {
    if (!process.session) continue;
    process.session = {};
    if (prng_.below(2) == 0)
      later(id, between({}, core::seconds{2}),
            [this](core::ServerId server, Process&) { exit(server, 1, 0); });
  }
  connect_after(down);
}

void Machine::heal() {
  std::vector<core::ServerId> stuck;
  for (const auto& [id, process] : processes_)
    if (process.hung || process.given_up || (process.classic && process.match && !process.session))
      stuck.push_back(id);
  for (const core::ServerId id : stuck) exit(id, -1, 9);
  if (!link_) connect();
}

/// What it still had to say is gone with it.
void Machine::ended_unseen(core::ServerId id) {
  world_.marks().hit(Mark::ended_without_node);
  ended_unseen_.push_back(id);
  std::erase_if(unsaid_, [&](const core::Event& event) {
    return std::visit(
        [&](const auto& e) {
          if constexpr (requires { e.server == id; })
            return e.server == id;
          else
            return false;
        },
        event);
  });
}

/// A report, kept until it is acknowledged. (Where Faults has none kept, because they were too
/// many: until the link is lost.)
void Machine::tell(core::Event event) {
  if (no_node_) return unsaid_.push_back(std::move(event));
  const std::uint64_t number = ++last_report_;
  if (world_.setting().faults.events_kept) reports_.emplace(number, event);
  send(number, event);
}

void Machine::acknowledged(const core::AcknowledgeReports& e) {
  to_node(e.node, [this, e] {
    if (e.run == fmt::format("run{}", run_))
      reports_.erase(reports_.begin(), reports_.upper_bound(e.number));
  });
}

/// FIFO, and lost if the link is not the same any more when it arrives. What has a number is of one
/// turn with it.
void Machine::send(std::uint64_t number, const core::Event& event) {
  if (!link_) return;
  last_to_lobby_ = std::max(last_to_lobby_,
                            world_.now() + between({}, world_.setting().machine.message_delay_max));
  world_.after(last_to_lobby_ - world_.now(), [this, link = link_, number, event] {
    if (link != link_) return;
    world_.arrives([&] {
      if (number > 0) world_.laws().report(run_, number, world_.setting().faults.events_kept);
      world_.step(event);
      if (number > 0) world_.step(core::NodeReported{link, number});
    });
  });
}

void Machine::launch(const core::LaunchServer& e) {
  if (!link_ || e.node != link_) return world_.laws().process_gone(e.server);
  on_their_way_.insert(e.server);
  to_node(e.node, [this, e] {
    on_their_way_.erase(e.server);
    launched(e);
  });
}

void Machine::stop(const core::StopServer& e) {
  to_node(e.node, [this, e] {
    const auto found = processes_.find(e.server);
    if (found == processes_.end() || found->second.stopping) return;
    Process& process = found->second;
    process.stopping = true;
    const Duration needs = between({}, core::milliseconds{800});
    if (process.hung || prng_.chance_ppm(world_.rates().ignores_sigterm) || needs > e.grace)
      return later(e.server, e.grace, [this](core::ServerId id, Process&) {
        world_.marks().hit(Mark::killed_after_grace);
        exit(id, -1, 9);
      });
    later(e.server, needs, [this](core::ServerId id, Process&) {
      const bool clean = prng_.below(2) == 0;
      exit(id, clean ? 0 : -1, clean ? 0 : 15);
    });
  });
}

void Machine::start_match(const core::StartServerMatch& e) {
  to_node(e.node, [this, e] {
    const auto found = processes_.find(e.server);
    if (found == processes_.end()) return;
    Process& process = found->second;
    if (process.match && process.match != e.match)
      throw LawBroken("a game server is not given a match while it plays another");
    if (!process.stopping) play(e.server, process, e.match, e.roster);
  });
}

void Machine::end_match(const core::EndServerMatch& e) {
  to_node(e.node, [this, e] {
    const auto found = processes_.find(e.server);
    if (found == processes_.end() || found->second.match != e.match) return;
    found->second.match = {};
    ++found->second.plan;
  });
}

void Machine::verify_owner(const core::VerifyOwner& e) {
  to_node(e.node, [this, e] {
    const auto found = processes_.find(e.server);
    const bool verified = found != processes_.end() && found->second.session == e.session;
    send(0,
         core::OwnerVerified{e.session, e.server, verified, verified ? "" : "not its connection"});
  });
}

}  // namespace muster::sim
