// A packet on the fork channel is a message or the channel's end, and says who sent it.
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "node/fork_channel.h"
#include "proto/fork.pb.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace muster;
  static const auto channel = node::make_fork_channel();
  CHECK(channel, "a channel can be made");
  if (size == 0 || ::send(channel->second.get(), data, size, MSG_DONTWAIT) < 0) return 0;
  wire::fork::FromForkPoint message;
  pid_t sender = 0;
  const auto received = node::receive_packet(channel->first.get(), message, sender);
  CHECK(received != node::Received::nothing, "it has come");
  if (received == node::Received::message) CHECK(sender == ::getpid(), "the kernel says who");
  CHECK(node::receive_packet(channel->first.get(), message, sender) == node::Received::nothing,
        "all of it");
  return 0;
}
