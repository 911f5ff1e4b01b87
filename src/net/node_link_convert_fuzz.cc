// Whatever a node says is nothing to the core, or an event with ids that can have been issued.
#include <variant>

#include "base/check.h"
#include "net/node_link_convert.h"
#include "proto/node.pb.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace muster;
  wire::node::FromNode message;
  if (!message.ParseFromArray(data, static_cast<int>(size))) return 0;
  if (message.has_hello()) {
    const core::NodeConnected event = net::to_event(message.hello(), {0, 1}, "127.0.0.1");
    CHECK(event.servers.size() <= static_cast<std::size_t>(message.hello().servers_size()),
          "no more servers than the node named");
    for (const auto& server : event.servers) CHECK(server.server, "a server has an id");
  }
  const auto event = net::to_event(message);
  if (!event) return 0;
  std::visit(
      [](const auto& e) {
        if constexpr (requires { e.server.generation; }) CHECK(e.server, "it is about a server");
      },
      *event);
  return 0;
}
