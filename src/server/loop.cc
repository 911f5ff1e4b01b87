#include "server/loop.h"

#include <boost/asio/post.hpp>

namespace muster::server {

Loop::Loop(boost::asio::io_context& io, core::Core core, std::uint64_t number, Time not_before)
    : io_(io), core_(std::move(core)), clock_(not_before), number_(number), deadline_(io) {
  if (number > 0) now_ = not_before;  // No turn yet.
}

void Loop::run() {
  const auto work = boost::asio::make_work_guard(io_);
  turn();
  while (!stopped_) {
    // Whatever is ready makes one turn; only when nothing is, there is time for idle work.
    while (io_.poll() == 0 && !stopped_) {
      if (adapters_.work_when_idle && adapters_.work_when_idle()) continue;
      io_.run_one();
      io_.poll();
      break;
    }
    turn();
  }
}

void Loop::turn() {
  now_ = clock_.now();
  if (armed_ && *armed_ <= now_) {
    armed_.reset();
    if (events_.empty()) events_.emplace_back(core::DeadlineReached{});
  }
  // Applying an effect may post (a connection that breaks while it is written to): go round again.
  // Effects only leave once their events have been recorded, which is what the order here is for.
  while (!events_.empty()) {
    stepping_.swap(events_);
    for (const core::Event& event : stepping_) step(event);
    stepping_.clear();
    if (adapters_.commit) adapters_.commit();
    for (const core::Effect& effect : effects_) adapters_.apply(effect);
    effects_.clear();
  }
  adapters_.flush();
  if (!events_.empty()) boost::asio::post(io_, [] {});  // Flushing broke something: another turn.
  arm_deadline();
}

void Loop::step(const core::Event& event) {
  const std::size_t effects_before = effects_.size();
  ++number_;
  if (adapters_.record) adapters_.record(number_, now_, event);
  core_.step(event, now_, effects_);
  if (adapters_.watch) adapters_.watch(now_, event, std::span(effects_).subspan(effects_before));
  if (recent_.size() == records_max) recent_.pop_front();
  recent_.push_back({number_, now_, core::name_of(event),
                     static_cast<std::uint32_t>(effects_.size() - effects_before)});
}

void Loop::arm_deadline() {
  const auto next = core_.next_deadline();
  if (next == armed_) return;
  // A deadline that moved later is left alone: it fires early, finds nothing due, and is set anew.
  // Tickets that come and go would otherwise move it at every turn.
  if (armed_ && next && *next > *armed_) return;
  armed_ = next;
  if (!next) {
    deadline_.cancel();
    return;
  }
  deadline_.expires_at(clock_.steady(*next));
  deadline_.async_wait(
      [](const boost::system::error_code&) {});  // It wakes the loop; turn() looks.
}

}  // namespace muster::server
