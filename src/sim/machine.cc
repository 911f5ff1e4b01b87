// The link, and the messages over it; what game servers do is in game_servers.cc.
#include "sim/machine.h"

#include <algorithm>
#include <utility>

#include "sim/machine_inl.h"
#include "sim/world.h"

namespace muster::sim {

void Machine::connect() {
  ++attempts_;
  link_ = core::NodeId{0, ++links_};
  std::vector<core::ServerReport> reports =
      world_.setting().faults.events_kept ? std::exchange(as_lobby_knows_, {}) : inventory();
  world_.step(core::NodeConnected{link_, "node", "198.51.100.7", std::move(reports), {}});
  for (core::Event& event : std::exchange(untold_, {})) tell(std::move(event));
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
  if (world_.setting().faults.events_kept) as_lobby_knows_ = inventory();
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

/// Game servers do not outlive their node.
void Machine::kill(Duration down) {
  world_.marks().hit(Mark::node_killed);
  const core::NodeId was = link_;
  unlink();
  while (!processes_.empty()) exit(processes_.begin()->first, -1, 9);
  as_lobby_knows_.clear();
  untold_.clear();
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

/// FIFO, and lost if the link is not the same any more when it arrives. Without a link it is kept
/// for the next one, or nobody ever hears of it.
void Machine::tell(core::Event event) {
  if (!link_) {
    if (world_.setting().faults.events_kept) untold_.push_back(std::move(event));
    return;
  }
  last_to_lobby_ = std::max(last_to_lobby_,
                            world_.now() + between({}, world_.setting().machine.message_delay_max));
  world_.after(last_to_lobby_ - world_.now(), [this, link = link_, event = std::move(event)] {
    if (link == link_) world_.step(event);
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
    tell(core::OwnerVerified{e.session, e.server, verified, verified ? "" : "not its connection"});
  });
}

}  // namespace muster::sim
