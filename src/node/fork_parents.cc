#include "node/fork_parents.h"

#include <utility>
#include <vector>

namespace muster::node {

using std::chrono::milliseconds;
using std::chrono::seconds;

ForkParents::ForkParents(boost::asio::io_context& io, Supervisor& supervisor, OnState on_state,
                         std::function<void()> on_process_ended)
    : io_(io),
      supervisor_(supervisor),
      on_state_(std::move(on_state)),
      on_process_ended_(std::move(on_process_ended)) {}

ForkParents::~ForkParents() = default;

void ForkParents::prepare(const wire::node::PrepareForks& wanted, const std::string& join_key) {
  if (stopped_) return;
  std::map<std::string, std::shared_ptr<ForkParent>> before = std::exchange(by_fleet_, {});
  std::vector<std::shared_ptr<ForkParent>> fresh;
  for (const wire::node::Launch& launch : wanted.parents()) {
    const auto old = before.find(launch.fleet());
    if (old != before.end() &&
        old->second->launch().SerializeAsString() == launch.SerializeAsString()) {
      on_state_(old->second->report());
      by_fleet_.insert(before.extract(old));
      continue;
    }
    const std::uint64_t id = ++last_id_;
    const auto report = [this, id, fleet = launch.fleet()] {
      const auto it = by_fleet_.find(fleet);
      if (it != by_fleet_.end() && it->second->id() == id) on_state_(it->second->report());
    };
    const auto parent = std::make_shared<ForkParent>(
        io_, supervisor_, launch, join_key, id, ForkParent::Handlers{report, on_process_ended_});
    if (by_fleet_.emplace(launch.fleet(), parent).second) fresh.push_back(parent);
  }
  for (const auto& [fleet, parent] : before) parent->retire(seconds{1});
  for (const auto& parent : fresh) parent->start();
}

bool ForkParents::fork(const wire::node::Launch& launch, const Command& command,
                       ForkParent::OnForked on_forked) {
  const auto it = by_fleet_.find(launch.fleet());
  if (it == by_fleet_.end() || !it->second->can_fork(launch)) return false;
  const auto parent = it->second;  // Whatever comes of it.
  parent->fork(command, std::move(on_forked));
  return true;
}

ForkParent* ForkParents::made(const GameServer& server) {
  const auto it = by_fleet_.find(server.fleet);
  return server.forked_by != 0 && it != by_fleet_.end() && it->second->id() == server.forked_by
             ? it->second.get()
             : nullptr;
}

void ForkParents::was_ready(const GameServer& server) {
  if (ForkParent* parent = made(server)) parent->child_was_ready();
}

void ForkParents::has_ended(const GameServer& server, const std::string& last_line) {
  if (server.was_ready || server.stopping) return;
  if (ForkParent* parent = made(server)) parent->child_ended_early(last_line);
}

void ForkParents::stop(milliseconds grace) {
  stopped_ = true;
  for (const auto& [fleet, parent] : std::exchange(by_fleet_, {})) parent->retire(grace);
}

}  // namespace muster::node
