#pragma once
// The loaded parents of all fleets that have one, as the lobby wants them.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "node/fork_parent.h"

namespace muster::node {

class ForkParents {
 public:
  using OnState = std::function<void(const wire::node::ForkParent&)>;

  ForkParents(boost::asio::io_context& io, Supervisor& supervisor, OnState on_state,
              std::function<void()> on_process_ended);
  ~ForkParents();

  /// One parent for each of these and no other. One that is there and the same stays; it is told
  /// about again.
  void prepare(const wire::node::PrepareForks& wanted, const std::string& join_key);
  /// Begins to fork a child for the launch, as ForkParent::fork does. False: launch it plainly.
  bool fork(const wire::node::Launch& launch, const Command& command,
            ForkParent::OnForked on_forked);
  void was_ready(const GameServer& server);
  void has_ended(const GameServer& server, const std::string& last_line);
  /// For good.
  void stop(std::chrono::milliseconds grace);

 private:
  ForkParent* made(const GameServer& server);

  boost::asio::io_context& io_;
  Supervisor& supervisor_;
  const OnState on_state_;
  const std::function<void()> on_process_ended_;
  std::map<std::string, std::shared_ptr<ForkParent>> by_fleet_;
  std::uint64_t last_id_ = 0;
  bool stopped_ = false;
};

}  // namespace muster::node
