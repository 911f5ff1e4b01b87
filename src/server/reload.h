#pragma once
// The configuration, read again while the lobby runs.

#include <string_view>
#include <vector>

#include "server/config_file.h"

namespace muster::server {

/// The file that `running` came from as it is now, checked as at the start: everything that is
/// wrong, or what may run from now on. What only a start can change stays as it runs, and a warning
/// names it. Changes nothing.
ConfigResult reload_config(const ServerConfig& running, const Machine& machine = this_machine());

/// The keys that only a start can change: "lobby.listen".
std::vector<std::string_view> keys_for_restart();

}  // namespace muster::server
