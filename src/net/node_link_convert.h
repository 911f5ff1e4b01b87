#pragma once
// Between the core's vocabulary and the node link's.

#include <cstdint>
#include <optional>
#include <string>

#include "core/config.h"
#include "core/effect.h"
#include "core/event.h"

namespace muster::wire::node {
class FromNode;
class NodeHello;
class ToNode;
}  // namespace muster::wire::node

namespace muster::net {

/// False if the effect is none for a node, or needs more than it says (VerifyOwner). `host` is what
/// players connect to.
bool to_node(const core::Effect& effect, const std::string& host, wire::node::ToNode& out);

/// PrepareForks: what the launches of each fleet with a fork parent have in common.
void to_prepare_forks(const core::Config& config, wire::node::ToNode& out);

/// For the wire: rounded up, since a shorter time than asked for would be a surprise.
std::uint32_t to_milliseconds(Duration duration);

/// The node an effect is for; none for the others.
core::NodeId node_of(const core::Effect& effect);

/// What the node says about its servers. Nothing for a message that means nothing to the core: an
/// unknown one, or ids that nobody can have issued. (Hello and OwnerVerified are the link's own.)
std::optional<core::Event> to_event(const wire::node::FromNode& message);

core::NodeConnected to_event(const wire::node::NodeHello& hello, core::NodeId node,
                             const std::string& host);

}  // namespace muster::net
