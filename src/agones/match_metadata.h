#pragma once
// The labels and annotations by which an Agones game server learns of its match: see
// docs/agones.md.

#include <map>
#include <string>
#include <string_view>

namespace muster::wire::game_server {
class MatchStarted;
}

namespace muster::agones {

using Metadata = std::map<std::string, std::string>;

/// Every key that is the match's begins with it.
constexpr std::string_view match_key_prefix = "muster.dev/";
constexpr std::string_view match_ended_key = "muster.dev/match-ended";

/// match-id and queue, and map if it can be a label's value.
void add_match_labels(const wire::game_server::MatchStarted& match, Metadata& labels);
/// match-id, queue, map, players (ids, comma between), roster (JSON).
void add_match_annotations(const wire::game_server::MatchStarted& match, Metadata& annotations);
/// Takes one player out of players and roster.
void remove_match_player(const std::string& player_id, Metadata& annotations);
/// Takes out all of the above.
void remove_match(Metadata& metadata);

/// At most 63 of A-Z a-z 0-9 . _ -, with a letter or digit at both ends; or nothing.
bool is_label_value(std::string_view text);

}  // namespace muster::agones
