#pragma once
// The folder that a game server has to itself for as long as it runs, with the files that its
// fleet's [fleet.files] has the node write there.

#include <expected>
#include <optional>
#include <string>

#include "node/process_posix.h"

namespace muster::wire::node {
class Launch;
}

namespace muster::node {

struct LaunchContext;

/// Whether the launch needs such a folder: it has files, or names {server_dir}.
bool needs_server_folder(const wire::node::Launch& launch);

/// Makes context.server_dir anew (mode 0700) and writes the launch's files into it, placeholders
/// filled in. All of it belongs to `owner`, if there is one. The error is a sentence for people;
/// nothing is left then.
std::expected<void, std::string> write_server_files(const wire::node::Launch& launch,
                                                    const LaunchContext& context,
                                                    const std::optional<Confinement::User>& owner);

/// Removes the folder and all that the server has put there. None is as well.
void remove_server_folder(const std::string& folder);

}  // namespace muster::node
