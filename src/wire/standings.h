#pragma once
// Standings of a match: in a message of the SDK, or as JSON in the text of a result, for game
// servers that have nothing but that text.

#include <string>
#include <string_view>

#include "proto/game_server.pb.h"

namespace muster::wire {

/// {"standings": [{"team": 0, "rank": 1}, {"playerId": "41.3", "rank": 2, "missed": 0.5}], …}:
/// false if the result is nothing of that form. It may say other things beside.
bool read_standings(std::string_view result, game_server::Standings& out);

/// What is wrong with their form, for people; empty if nothing is. Whether they are the match's is
/// the lobby's to say.
std::string standings_problem(
    const google::protobuf::RepeatedPtrField<game_server::Standing>& standings);

}  // namespace muster::wire
