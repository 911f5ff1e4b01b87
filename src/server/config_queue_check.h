#pragma once
// What must hold between the rules of a queue. Part of config_check.

#include "server/config_check.h"

namespace muster::server {

/// Finds rules that contradict each other or can never let anybody play, and fills in what follows
/// from others: players and teams from the tables of teams, names of rules, limits. `lines` are
/// those of the queue's own keys.
void check_queue_rules(core::QueueConfig& queue, const ConfigLines& lines, QueueParts& parts,
                       ConfigProblems& problems);

}  // namespace muster::server
