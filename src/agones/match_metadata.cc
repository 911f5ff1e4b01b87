#include "agones/match_metadata.h"

#include <algorithm>
#include <boost/json.hpp>

#include "proto/game_server.pb.h"

namespace muster::agones {
namespace json = boost::json;
namespace sdk = wire::game_server;
namespace {

std::string key(std::string_view name) { return std::string(match_key_prefix).append(name); }

json::value to_json(const sdk::Attribute& attribute) {
  switch (attribute.value_case()) {
    case sdk::Attribute::kNumber:
      return attribute.number();
    case sdk::Attribute::kText:
      return json::string(attribute.text());
    case sdk::Attribute::kTexts: {
      json::array values;
      for (const std::string& text : attribute.texts().values()) values.emplace_back(text);
      return values;
    }
    case sdk::Attribute::VALUE_NOT_SET:
      break;
  }
  return nullptr;
}

json::object to_json(const sdk::Player& player) {
  json::object attributes;
  for (const sdk::Attribute& attribute : player.attributes())
    attributes[attribute.name()] = to_json(attribute);
  return {{"playerId", player.player_id()},
          {"name", player.name()},
          {"team", player.team()},
          {"seats", player.seats()},
          {"attributes", std::move(attributes)}};
}

std::string comma_separated(const json::array& roster) {
  std::string ids;
  for (const json::value& player : roster) {
    if (!ids.empty()) ids += ',';
    ids += std::string_view(player.at("playerId").as_string());
  }
  return ids;
}

void set_roster(const json::array& roster, Metadata& annotations) {
  annotations[key("players")] = comma_separated(roster);
  annotations[key("roster")] = json::serialize(roster);
}

}  // namespace

void add_match_labels(const sdk::MatchStarted& match, Metadata& labels) {
  labels[key("match-id")] = match.match_id();
  labels[key("queue")] = match.queue();
  if (is_label_value(match.map())) labels[key("map")] = match.map();
}

void add_match_annotations(const sdk::MatchStarted& match, Metadata& annotations) {
  annotations[key("match-id")] = match.match_id();
  annotations[key("queue")] = match.queue();
  annotations[key("map")] = match.map();
  json::array roster;
  for (const sdk::Player& player : match.players()) roster.push_back(to_json(player));
  set_roster(roster, annotations);
  json::array bots;
  for (const sdk::Bots& team : match.bots())
    bots.push_back({{"team", team.team()}, {"count", team.count()}});
  if (!bots.empty()) annotations[key("bots")] = json::serialize(bots);
}

void remove_match_player(const std::string& player_id, Metadata& annotations) {
  const auto found = annotations.find(key("roster"));
  if (found == annotations.end()) return;
  json::array roster = json::parse(found->second).as_array();  // Our own text.
  roster.erase(std::remove_if(roster.begin(), roster.end(),
                              [&](const json::value& player) {
                                return player.at("playerId").as_string() == player_id;
                              }),
               roster.end());
  set_roster(roster, annotations);
}

void remove_match(Metadata& metadata) {
  std::erase_if(metadata,
                [](const auto& entry) { return entry.first.starts_with(match_key_prefix); });
}

bool is_label_value(std::string_view text) {
  const auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return text.empty() || (text.size() <= 63 && alphanumeric(text.front()) &&
                          alphanumeric(text.back()) && std::ranges::all_of(text, [&](char c) {
                            return alphanumeric(c) || c == '.' || c == '_' || c == '-';
                          }));
}

}  // namespace muster::agones
