#include "node/fork_parent.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "node/fork_channel.h"
#include "proto/fork.pb.h"

namespace muster::node {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

namespace {

constexpr int channel_in_parent = 3;

seconds backoff(std::uint32_t failures) {
  return seconds{std::min(30u, 1u << std::min(failures, 5u))};
}

bool starts_with_one_of(const std::string& text, std::initializer_list<std::string_view> starts) {
  return std::ranges::any_of(starts, [&](std::string_view s) { return text.starts_with(s); });
}

// It is no game server: without a port or a node to speak to, a program that does not stop at a
// fork point says so and ends, instead of being a game server that nobody knows of.
void make_environment_of_parent(std::vector<std::string>& environment) {
  std::erase_if(environment, [](const std::string& entry) {
    return starts_with_one_of(
        entry, {"PORT=", "MUSTER_PORT=", "MUSTER_SERVER_ID=", "MUSTER_SDK=", "AGONES_SDK_"});
  });
  environment.push_back(fmt::format("MUSTER_FORK={}", channel_in_parent));
}

bool same_program(const wire::node::Launch& a, const wire::node::Launch& b) {
  const auto same_variable = [](const wire::node::Variable& x, const wire::node::Variable& y) {
    return x.name() == y.name() && x.value() == y.value();
  };
  return std::ranges::equal(a.command(), b.command()) &&
         std::ranges::equal(a.env(), b.env(), same_variable) &&
         a.working_directory() == b.working_directory() && a.version() == b.version();
}

std::string how_it_ended(const Child& child, const std::string& last_line) {
  std::string text = child.exit->signal != 0
                         ? fmt::format("killed by signal {}", child.exit->signal)
                         : fmt::format("exit code {}", child.exit->exit_code);
  if (!last_line.empty()) text += ": " + last_line;
  return text;
}

}  // namespace

ForkParent::ForkParent(boost::asio::io_context& io, Supervisor& supervisor,
                       wire::node::Launch launch, std::string join_key, std::uint64_t id,
                       Handlers handlers)
    : io_(io),
      supervisor_(supervisor),
      launch_(std::move(launch)),
      join_key_(std::move(join_key)),
      id_(id),
      handlers_(std::move(handlers)),
      channel_(io.get_executor()),
      retry_timer_(io.get_executor()),
      spare_timer_(io.get_executor()) {}

ForkParent::~ForkParent() = default;

/// A handler that does nothing after an error, or once this is gone.
template <class F>
auto ForkParent::guarded(F f) {
  return [weak = weak_from_this(), f = std::move(f)](boost::system::error_code error) {
    const auto alive = weak.lock();
    if (alive && !error) f();
  };
}

// ---- Its process.

void ForkParent::start() {
  auto channel = make_fork_channel();
  if (!channel) return retry_later(::strerrordesc_np(channel.error()));
  const auto made = supervisor_.make_child(launch_, "parent", join_key_);
  if (!made && made.error().reason == wire::node::LaunchFailed::LIMIT_REACHED)
    return retry_later(made.error().detail);
  if (!made) return give_up(made.error().detail);
  const std::shared_ptr<Child>& child = made->child;
  Command command = made->command;
  make_environment_of_parent(command.environment);
  command.inherited = channel->second.get();
  child->on_ended = [weak = weak_from_this(), ended = handlers_.on_process_ended,
                     raw = child.get()](const std::string& last_line) {
    const auto alive = weak.lock();
    if (alive && alive->child_.get() == raw) alive->on_ended(last_line);
    ended();
  };
  if (const auto begun = supervisor_.begin(child, command); !begun)
    return retry_later(begun.error().detail);
  child_ = child;
  boost::system::error_code error;
  channel_.assign(channel->first.get(), error);
  if (error) return hangs();  // Out of memory for it.
  channel->first.release();
  become(wire::node::ForkParent::LOADING, detail_);  // Why it had to be started again.
  wait_for_message();
}

void ForkParent::retire(milliseconds grace) {
  retired_ = true;
  retry_timer_.cancel();
  spare_timer_.cancel();
  const auto child = child_;
  lose_process();
  while (!spares_.empty()) drop_spare(spares_.front());
  if (child) supervisor_.stop(*child, grace);
  fail_waiting("its fork parent is being stopped");
}

void ForkParent::wait_for_message() {
  channel_.async_wait(Descriptor::wait_read, guarded([this] { on_message(); }));
}

void ForkParent::on_message() {
  wire::fork::FromForkPoint message;
  pid_t sender = 0;
  switch (receive_packet(channel_.native_handle(), message, sender)) {
    case Received::nothing:
      return wait_for_message();
    case Received::end: {
      // It has closed the channel without a word, or is about to be seen to end.
      boost::system::error_code ignored;
      channel_.close(ignored);
      return;
    }
    case Received::message:
      break;
  }
  if (message.has_refused())
    return give_up(message.refused().why().empty() ? "it refused to fork"
                                                   : message.refused().why());
  if (message.has_failed()) {
    std::erase_if(births_,
                  [&](const auto& birth) { return birth->number == message.failed().number(); });
    const int error = static_cast<int>(message.failed().error());
    const char* const why = ::strerrordesc_np(error);
    refuse(why ? fmt::format("cannot fork: {}", why) : fmt::format("cannot fork: error {}", error));
  } else if (message.has_waiting() && state_ == wire::node::ForkParent::LOADING) {
    become(wire::node::ForkParent::LOADED, {});
    make_spare_in(milliseconds{0});
  }
  wait_for_message();
}

void ForkParent::on_ended(const std::string& last_line) {
  const std::string why = how_it_ended(*child_, last_line);
  lose_process();
  // Why it was ended by us has been said better.
  retry_later(state_ == wire::node::ForkParent::FAILED ? detail_ : why);
}

/// No more children can be made. The ones in hand are still good.
void ForkParent::lose_process() {
  boost::system::error_code ignored;
  channel_.close(ignored);
  births_.clear();
  child_ = nullptr;
}

void ForkParent::retry_later(const std::string& why) {
  become(wire::node::ForkParent::FAILED, why);
  fail_waiting(why);
  retry_timer_.expires_after(backoff(failures_++));
  retry_timer_.async_wait(guarded([this] { start(); }));
}

/// Asked, it has not answered. Ended, it is started again.
void ForkParent::hangs() {
  become(wire::node::ForkParent::FAILED,
         fmt::format("did not answer within {} ms", answer_timeout.count()));
  births_.clear();
  fail_waiting(detail_);
  if (child_) supervisor_.stop(*child_, milliseconds{0});
}

/// Trying again would be of no use. The fleet's launches are plain from here on.
void ForkParent::give_up(const std::string& why) {
  given_up_ = true;
  retry_timer_.cancel();
  spare_timer_.cancel();
  const auto child = child_;
  lose_process();
  while (!spares_.empty()) drop_spare(spares_.front());
  if (child) supervisor_.stop(*child, seconds{1});
  become(wire::node::ForkParent::FAILED, why + "; launches are plain");
  fail_waiting(why);
}

void ForkParent::become(State state, std::string detail) {
  state_ = state;
  detail_ = std::move(detail);
  handlers_.on_changed();
}

wire::node::ForkParent ForkParent::report() const {
  wire::node::ForkParent report;
  report.set_fleet(launch_.fleet());
  report.set_state(state_);
  if (child_) report.set_pid(static_cast<std::uint32_t>(child_->process.pid));
  report.set_detail(detail_);
  return report;
}

// ---- Its children.

bool ForkParent::can_fork(const wire::node::Launch& launch) const {
  if (retired_ || !same_program(launch, launch_)) return false;
  return !spares_.empty() ||
         (state_ == wire::node::ForkParent::LOADED && steady_clock::now() >= refused_until_);
}

void ForkParent::fork(const Command& command, OnForked on_forked) {
  waiting_.push_back({command, std::move(on_forked)});
  serve();
  ask();
}

/// Gives the children in hand to the launches that wait.
void ForkParent::serve() {
  while (!waiting_.empty() && !spares_.empty()) {
    const auto spare = spares_.front();
    auto process = begin(*spare, waiting_.front().command);
    if (!process) {
      drop_spare(spare);
      if (process.error().empty()) continue;  // It has ended: the next.
    } else {
      spares_.pop_front();
      supervisor_.let_go(spare->pid);
      failures_ = refusals_ = 0;
      if (state_ == wire::node::ForkParent::LOADED && !detail_.empty()) become(state_, {});
    }
    make_spare_in(spare_delay);
    const Waiting served = std::move(waiting_.front());
    waiting_.pop_front();
    if (process)
      served.on_forked(Forked{std::move(*process), id_});
    else
      served.on_forked(std::unexpected(process.error()));
  }
}

/// Tells a child which game server it is. An empty error: this child is of no use.
std::expected<Process, std::string> ForkParent::begin(Spare& spare, const Command& command) {
  wire::fork::ToForkPoint message;
  for (const std::string& entry : command.environment)
    message.mutable_begin()->add_environment(entry);
  if (message.ByteSizeLong() > fork_packet_bytes_max)
    return std::unexpected(
        fmt::format("its environment is larger than {} KiB", fork_packet_bytes_max >> 10));
  auto output = make_output_pipe();
  if (!output) return std::unexpected(::strerrordesc_np(output.error()));
  message.mutable_begin()->set_outlives_node(
      command.birth_register &&
      put_on_record(*command.birth_register, command.registered_as, output->name, spare.pid));
  if (send_packet(spare.channel.native_handle(), message, output->writer.get()) != 0) {
    remove_output(output->name);
    return std::unexpected(std::string());
  }
  boost::system::error_code ignored;
  spare.channel.close(ignored);  // What was sent stays to be read.
  return Process{spare.pid, std::move(spare.pidfd), std::move(output->reader),
                 std::move(output->name)};
}

void ForkParent::drop_spare(const std::shared_ptr<Spare>& spare) {
  boost::system::error_code ignored;
  spare->channel.close(ignored);
  if (spare->pidfd) ::kill(spare->pid, SIGKILL);  // Not reaped yet, so the pid is its own.
  supervisor_.let_go(spare->pid);
  spares_.remove(spare);
  supervisor_.reap_orphans();
}

void ForkParent::make_spare_in(milliseconds delay) {
  spare_timer_.expires_after(delay);
  spare_timer_.async_wait(guarded([this] {
    wants_spare_ = true;
    ask();
  }));
}

/// Asks for as many children as are wanted and not on their way.
void ForkParent::ask() {
  while (state_ == wire::node::ForkParent::LOADED && births_.size() < births_max &&
         births_.size() + spares_.size() < waiting_.size() + (wants_spare_ ? 1 : 0))
    if (!ask_for_one()) return;
  // Only if the last child in hand turned out to be dead, and its parent is too.
  if (births_.empty()) fail_waiting(detail_);
}

bool ForkParent::ask_for_one() {
  auto channel = make_fork_channel();
  if (!channel) {
    refuse(fmt::format("cannot make a channel: {}", ::strerrordesc_np(channel.error())));
    return false;
  }
  wire::fork::ToForkPoint message;
  message.mutable_make_child()->set_number(++last_number_);
  message.mutable_make_child()->set_node_pid(static_cast<std::uint32_t>(::getpid()));
  if (!channel_.is_open() ||
      send_packet(channel_.native_handle(), message, channel->second.get()) != 0) {
    hangs();
    return false;
  }
  const auto birth = std::make_shared<Birth>(io_);
  birth->number = last_number_;
  boost::system::error_code error;
  birth->channel.assign(channel->first.get(), error);
  if (error) {
    refuse(fmt::format("cannot wait for a child: {}", error.message()));
    return false;
  }
  channel->first.release();
  births_.push_back(birth);
  wait_for(birth);
  birth->deadline.expires_after(answer_timeout);
  birth->deadline.async_wait(guarded([this, birth] {
    if (std::ranges::find(births_, birth) != births_.end()) hangs();
  }));
  return true;
}

void ForkParent::wait_for(const std::shared_ptr<Birth>& birth) {
  birth->channel.async_wait(Descriptor::wait_read, guarded([this, birth] { on_birth(birth); }));
}

void ForkParent::on_birth(const std::shared_ptr<Birth>& birth) {
  if (std::ranges::find(births_, birth) == births_.end()) return;
  wire::fork::FromForkPoint message;
  pid_t sender = 0;
  const Received received = receive_packet(birth->channel.native_handle(), message, sender);
  if (received == Received::nothing) return wait_for(birth);
  births_.remove(birth);
  birth->deadline.cancel();
  if (received != Received::message || !message.has_waiting() || !adopt(birth, sender))
    return refuse("a child ended at its fork point");
  serve();
  ask();
}

bool ForkParent::adopt(const std::shared_ptr<Birth>& birth, pid_t pid) {
  if (supervisor_.has(pid)) return false;
  UniqueFd pidfd = pidfd_of_child(pid);
  if (!pidfd) return false;
  const auto spare = std::make_shared<Spare>(io_);
  spare->pid = pid;
  spare->pidfd = std::move(pidfd);
  spare->channel = std::move(birth->channel);
  supervisor_.keep(pid);
  spares_.push_back(spare);
  if (waiting_.empty()) wants_spare_ = false;
  spare->channel.async_wait(Descriptor::wait_read, guarded([this, spare] {
                              // Nothing more is said on it, so it has ended.
                              if (std::ranges::find(spares_, spare) == spares_.end()) return;
                              drop_spare(spare);
                              refuse("a child in hand ended");
                            }));
  return true;
}

/// A child could not be made. Launches are plain until it is tried again.
void ForkParent::refuse(const std::string& why) { pause(why, backoff(refusals_++)); }

void ForkParent::pause(const std::string& why, milliseconds time) {
  refused_until_ = steady_clock::now() + time;
  make_spare_in(time);
  wants_spare_ = false;
  fail_waiting(why);
  become(state_, why);
}

void ForkParent::fail_waiting(const std::string& why) {
  for (const Waiting& failed : std::exchange(waiting_, {})) failed.on_forked(std::unexpected(why));
}

void ForkParent::child_ended_early(const std::string& last_line) {
  if (given_up_ || ++early_ends_ < early_ends_max) return;
  while (!spares_.empty()) drop_spare(spares_.front());
  pause(fmt::format("{} forked game servers in a row ended before they were Ready{}{}", early_ends_,
                    last_line.empty() ? "" : ": ", last_line),
        early_ends_pause);
}

}  // namespace muster::node
