#pragma once
// The keys of a [[queue]] that say how its matches are rated.

#include "server/config_check.h"

namespace muster::server {

/// Finds what does not fit the system, and fills in what it has by itself.
void check_rating(core::QueueConfig& queue, const ConfigLines& lines, ConfigProblems& problems);

}  // namespace muster::server
