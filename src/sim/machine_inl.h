#pragma once
// Machine's templates, for its two .cc files.

#include <algorithm>
#include <utility>

#include "sim/machine.h"
#include "sim/world.h"

namespace muster::sim {

inline Duration Machine::between(Duration low, Duration high) {
  return Duration{prng_.between(low.count(), std::max(low, high).count())};
}

/// FIFO, and lost if the link is not the same any more when it arrives.
template <class F>
void Machine::to_node(core::NodeId node, F f) {
  if (!link_ || node != link_) return;
  last_to_node_ = std::max(last_to_node_,
                           world_.now() + between({}, world_.setting().machine.message_delay_max));
  world_.after(last_to_node_ - world_.now(), [this, node, f = std::move(f)] {
    if (node == link_) f();
  });
}

/// Calls f(id, process) then, if that very process is still there.
template <class F>
void Machine::later(core::ServerId id, Duration delay, F f) {
  world_.after(delay, [this, id, pid = processes_.at(id).pid, f = std::move(f)] {
    const auto found = processes_.find(id);
    if (found != processes_.end() && found->second.pid == pid) f(id, found->second);
  });
}

/// The same, if meanwhile its plan has not changed and it does not hang.
template <class F>
void Machine::planned(core::ServerId id, Duration delay, F f) {
  later(id, delay,
        [plan = processes_.at(id).plan, f = std::move(f)](core::ServerId server, Process& process) {
          if (process.plan == plan && !process.hung) f(server, process);
        });
}

}  // namespace muster::sim
