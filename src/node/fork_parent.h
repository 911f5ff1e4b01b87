#pragma once
// The loaded parent of a fleet: a process that has loaded its assets, stopped at its fork point
// (sdk/gameserver, gs.h), and makes children, each of which becomes a game server.
//
// A child is made before it is known what for: it has a channel of its own to the node
// (proto/fork.proto), says that it is there, and becomes a game server when it is told its
// environment. So the node knows a process by the kernel's word, with its pidfd, before it has an
// identity; one that gets lost on the way ends by itself with its channel. And one child can wait
// in hand, which takes the fork out of the next launch.
//
// Nothing waits here: a launch is answered when its child is there, or with an error as soon as
// that will not be. Then it is launched plainly; the fork parent is an advantage, never a
// condition.

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "node/supervisor.h"
#include "node/unique_fd.h"

namespace muster::wire::fork {
class FromForkPoint;
}

namespace muster::node {

/// Single-threaded. Its process is the supervisor's child and outlives this until it has ended.
class ForkParent : public std::enable_shared_from_this<ForkParent> {
 public:
  struct Forked {
    Process process;
    std::uint64_t parent = 0;  // id() of what made it.
  };
  using OnForked = std::function<void(std::expected<Forked, std::string>)>;
  struct Handlers {
    std::function<void()> on_changed;        // report() says something else now.
    std::function<void()> on_process_ended;  // Also after the ForkParent is gone.
  };

  /// Children made at a time, of those asked for; a child not there after answer_timeout means that
  /// the parent hangs. A fork of small pages takes 6 ms per GB, and the machine may be busy.
  static constexpr std::size_t births_max = 8;
  static constexpr std::chrono::milliseconds answer_timeout{1000};
  /// After a launch took the one in hand, the next is made when the launch has had the machine for
  /// itself for so long.
  static constexpr std::chrono::milliseconds spare_delay{20};
  /// After so many children in a row that ended before they were Ready, launches are plain for a
  /// while: the program may not be made for it. The next then shows whether it is.
  static constexpr std::uint32_t early_ends_max = 2;
  static constexpr std::chrono::seconds early_ends_pause{30};
  /// id() of those whose node is no more, and they with it.
  static constexpr std::uint64_t id_of_earlier_node = ~std::uint64_t{0};

  /// `launch` is what all launches of the fleet have in common.
  ForkParent(boost::asio::io_context& io, Supervisor& supervisor, wire::node::Launch launch,
             std::string join_key, std::uint64_t id, Handlers handlers);
  ~ForkParent();

  void start();
  /// Ends its process (SIGTERM, after `grace` SIGKILL) and the child in hand, and fails what waits.
  /// Nothing is started again.
  void retire(std::chrono::milliseconds grace);

  /// A child of it would be what this launch wants, and there is one in hand, or one can be made.
  bool can_fork(const wire::node::Launch& launch) const;
  /// `on_forked` is called before this returns, or later. Only if can_fork().
  void fork(const Command& command, OnForked on_forked);

  /// A child of it became Ready; or ended before that, and not because it was told to.
  void child_was_ready() { early_ends_ = 0; }
  void child_ended_early(const std::string& last_line);

  std::uint64_t id() const { return id_; }
  const wire::node::Launch& launch() const { return launch_; }
  wire::node::ForkParent report() const;

 private:
  using State = wire::node::ForkParent::State;
  struct Birth {  // A child asked for.
    explicit Birth(boost::asio::io_context& io)
        : channel(io.get_executor()), deadline(io.get_executor()) {}
    std::uint32_t number = 0;
    Descriptor channel;
    Timer deadline;
  };
  struct Spare {  // A child that waits to be told what to be.
    explicit Spare(boost::asio::io_context& io) : channel(io.get_executor()) {}
    pid_t pid = 0;
    UniqueFd pidfd;
    Descriptor channel;
  };
  struct Waiting {  // A launch.
    Command command;
    OnForked on_forked;
  };

  template <class F>
  auto guarded(F f);
  void wait_for_message();
  void on_message();
  void ask();
  bool ask_for_one();
  void wait_for(const std::shared_ptr<Birth>& birth);
  void on_birth(const std::shared_ptr<Birth>& birth);
  bool adopt(const std::shared_ptr<Birth>& birth, pid_t pid);
  void serve();
  std::expected<Process, std::string> begin(Spare& spare, const Command& command);
  void drop_spare(const std::shared_ptr<Spare>& spare);
  void make_spare_in(std::chrono::milliseconds delay);
  void on_ended(const std::string& last_line);
  void lose_process();
  void fail_waiting(const std::string& why);
  void refuse(const std::string& why);
  void pause(const std::string& why, std::chrono::milliseconds time);
  void hangs();
  void give_up(const std::string& why);
  void retry_later(const std::string& why);
  void become(State state, std::string detail);

  boost::asio::io_context& io_;
  Supervisor& supervisor_;
  const wire::node::Launch launch_;
  const std::string join_key_;
  const std::uint64_t id_;
  const Handlers handlers_;

  State state_ = wire::node::ForkParent::LOADING;
  std::string detail_;
  std::shared_ptr<Child> child_;  // While it has not ended.
  Descriptor channel_;
  Timer retry_timer_;
  Timer spare_timer_;
  bool wants_spare_ = false;
  bool retired_ = false;
  bool given_up_ = false;
  std::uint32_t failures_ = 0;    // Ends of its process since it last made a game server.
  std::uint32_t refusals_ = 0;    // The same, of children that could not be made.
  std::uint32_t early_ends_ = 0;  // In a row.
  std::chrono::steady_clock::time_point refused_until_;
  std::uint32_t last_number_ = 0;
  std::list<std::shared_ptr<Birth>> births_;
  std::list<std::shared_ptr<Spare>> spares_;
  std::deque<Waiting> waiting_;
};

}  // namespace muster::node
