#pragma once
// Packets on the fork channel (proto/fork.proto), as the node sends and receives them: bare system
// calls, none of which waits.

#include <google/protobuf/message_lite.h>
#include <sys/types.h>

#include <cstddef>
#include <expected>
#include <utility>

#include "node/unique_fd.h"

namespace muster::node {

/// A game server's SDK receives no longer ones.
constexpr std::size_t fork_packet_bytes_max = 128u << 10;

/// The node's end, and the other's. Both are close-on-exec; ours says who sent what it receives.
/// The error is errno.
std::expected<std::pair<UniqueFd, UniqueFd>, int> make_fork_channel();

/// With a descriptor, -1 for none. 0 or errno.
int send_packet(int channel, const google::protobuf::MessageLite& message, int descriptor = -1);

enum class Received { message, nothing, end };
/// `sender` is the pid of who sent it, by the kernel's word. `end` also for what is no such
/// message.
Received receive_packet(int channel, google::protobuf::MessageLite& message, pid_t& sender);

/// The pidfd of a process that is a child of this one and has not ended. Nothing if it is not.
UniqueFd pidfd_of_child(pid_t pid);

}  // namespace muster::node
