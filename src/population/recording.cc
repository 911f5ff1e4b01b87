#include "population/recording.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

#include "population/json_writer.h"

namespace muster::population {
namespace {

namespace json = boost::json;
using End = RecordedTicket::End;
using std::chrono::milliseconds;

constexpr std::int64_t version = 1;
constexpr std::int64_t at_ms_max = 1'000'000'000'000'000;  // The year 33658.
constexpr std::int64_t length_ms_max = std::int64_t{30} * 86'400'000;
constexpr std::int64_t hour_ms = 3'600'000;
constexpr std::size_t attributes_max = 256;

std::string attribute_json(const core::Attribute& attribute) {
  std::string out = json_string(attribute.name) + ":";
  if (const auto* text = std::get_if<std::string>(&attribute.value))
    return out + json_string(*text);
  if (const auto* number = std::get_if<double>(&attribute.value)) {
    // As rules see it: thousandths.
    const std::int64_t value = core::thousandths(*number).value_or(0);
    return out + fmt::format("{}{}.{:03}", value < 0 ? "-" : "", std::abs(value) / 1000,
                             std::abs(value) % 1000);
  }
  out += "[";
  for (const std::string& text : std::get<std::vector<std::string>>(attribute.value)) {
    if (out.back() != '[') out += ",";
    out += json_string(text);
  }
  return out + "]";
}

/// The members of one object: each is asked for once, and none may be left.
class Members {
 public:
  explicit Members(const json::object& object) : object_(object) {}

  const json::value* find(std::string_view key) {
    const json::value* const value = find_if(key);
    if (!value) fail(fmt::format("has no \"{}\"", key));
    return value;
  }
  const json::value* find_if(std::string_view key) {
    const json::value* const value = object_.if_contains(key);
    if (value) ++asked_;
    return value;
  }
  std::int64_t whole(std::string_view key, std::int64_t min, std::int64_t max) {
    const json::value* const value = find(key);
    if (!value) return min;
    const std::int64_t* const number = value->if_int64();
    if (!number || *number < min || *number > max) {
      fail(fmt::format("has a \"{}\" that is no whole number from {} to {}", key, min, max));
      return min;
    }
    return *number;
  }
  std::string text(std::string_view key, std::size_t bytes_max) {
    const json::value* const value = find(key);
    if (!value) return {};
    const json::string* const string = value->if_string();
    if (!string || string->empty() || string->size() > bytes_max) {
      fail(fmt::format("has a \"{}\" that is no text of 1 to {} bytes", key, bytes_max));
      return {};
    }
    return std::string(*string);
  }
  void fail(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
  }
  /// The first thing that was wrong.
  std::string problem() {
    if (problem_.empty() && asked_ != object_.size()) problem_ = "has a member that is not known";
    return problem_;
  }

 private:
  const json::object& object_;
  std::size_t asked_ = 0;
  std::string problem_;
};

void read_attribute(const json::key_value_pair& pair, Members& members,
                    std::vector<core::Attribute>& out) {
  core::Attribute attribute;
  attribute.name = pair.key();
  const json::value& value = pair.value();
  if (value.is_number()) {
    const double number = value.to_number<double>();
    if (!core::thousandths(number))
      return members.fail("has an attribute that is no number of a rule");
    attribute.value = number;
  } else if (value.is_string()) {
    attribute.value = std::string(value.get_string());
  } else if (value.is_array()) {
    std::vector<std::string> texts;
    for (const json::value& text : value.get_array()) {
      if (!text.is_string()) return members.fail("has an attribute with something that is no text");
      texts.emplace_back(text.get_string());
    }
    attribute.value = std::move(texts);
  } else {
    return members.fail("has an attribute that is no number, text or list of texts");
  }
  if (attribute.name.empty() || attribute.name.size() > 64)
    return members.fail("has an attribute whose name is not 1 to 64 bytes");
  out.push_back(std::move(attribute));
}

void read_latency(const json::value& value, Members& members, RecordedTicket& ticket) {
  const json::object* const regions = value.if_object();
  if (!regions || regions->size() > core::regions_max)
    return members.fail("has a \"latency\" that is no object of at most 32 regions");
  for (const json::key_value_pair& pair : *regions) {
    const std::int64_t* const ms = pair.value().if_int64();
    if (pair.key().empty() || pair.key().size() > 32 || !ms || *ms < 0 ||
        *ms > core::latency_ms_max)
      return members.fail("has a latency that is no region with 0 to 60000 ms");
    ticket.latency.push_back({std::string(pair.key()), static_cast<std::uint32_t>(*ms)});
  }
}

std::expected<RecordedTicket, std::string> read_ticket(const json::object& object) {
  RecordedTicket ticket;
  Members members(object);
  ticket.at_ms = members.whole("at", 0, at_ms_max);
  ticket.queue = members.text("queue", 32);
  ticket.seats = static_cast<std::uint32_t>(members.whole("seats", 1, 256));
  ticket.rating =
      static_cast<core::Rating>(members.whole("rating", -core::rating_max, core::rating_max));
  ticket.wait_ms = members.whole("wait", 0, length_ms_max);
  const std::string end = members.text("end", 16);
  bool known = false;
  for (const End e : {End::assigned, End::cancelled, End::expired, End::failed, End::away})
    if (to_string(e) == end) ticket.end = e, known = true;
  if (!known) members.fail(fmt::format("has an \"end\" of no kind there is: {:.20}", end));
  if (const json::value* const value = members.find("attributes")) {
    const json::object* const attributes = value->if_object();
    if (!attributes || attributes->size() > attributes_max)
      members.fail("has \"attributes\" that are no object of at most 256");
    else
      for (const json::key_value_pair& pair : *attributes)
        read_attribute(pair, members, ticket.attributes);
  }
  if (const json::value* const value = members.find_if("latency"))
    read_latency(*value, members, ticket);
  if (std::string problem = members.problem(); !problem.empty())
    return std::unexpected("a ticket that " + problem);
  return ticket;
}

std::expected<RecordedMatch, std::string> read_match(const json::object& object) {
  RecordedMatch match;
  Members members(object);
  match.at_ms = members.whole("at", 0, at_ms_max);
  match.queue = members.text("queue", 32);
  match.players = static_cast<std::uint32_t>(members.whole("players", 1, 256));
  match.length_ms = members.whole("length", 0, length_ms_max);
  if (std::string problem = members.problem(); !problem.empty())
    return std::unexpected("a match that " + problem);
  return match;
}

class Replay final : public Arrivals {
 public:
  Replay(const Recording& recording, const core::Config& config, const Population& population,
         std::uint64_t seed)
      : recording_(recording), config_(config), population_(population), seed_(seed) {
    start_ms_ = recording.tickets.empty() ? 0 : recording.tickets.front().at_ms / hour_ms * hour_ms;
  }

  std::optional<Time> next() const override {
    if (next_ == recording_.tickets.size()) return std::nullopt;
    return midnight + milliseconds{recording_.tickets[next_].at_ms - start_ms_};
  }

  Visit take() override {
    const RecordedTicket& ticket = recording_.tickets[next_++];
    Visit visit;
    visit.seed = seed_of(seed_, next_);
    visit.queue = static_cast<core::QueueIndex>(
        std::ranges::find(config_.queues, ticket.queue, &core::QueueConfig::name) -
        config_.queues.begin());
    visit.size = ticket.seats;
    visit.skill = visit.rating = ticket.rating;
    visit.attributes = ticket.attributes;
    visit.latency = ticket.latency;
    const milliseconds waited{ticket.wait_ms};
    if (ticket.end == End::cancelled)
      visit.patience = waited;
    else if (ticket.end == End::assigned || ticket.end == End::away)
      visit.patience = std::max<Duration>(waited, Stream(visit.seed).spread(population_.patience));
    else
      visit.patience = milliseconds{length_ms_max};
    return visit;
  }

  Duration match_length(core::QueueIndex queue, Stream stream) const override {
    const auto seen = recording_.match_ms.find(config_.queues[queue].name);
    if (seen == recording_.match_ms.end()) return stream.spread(population_.match);
    return milliseconds{
        seen->second[stream.below(static_cast<std::uint32_t>(seen->second.size()))]};
  }

 private:
  const Recording& recording_;
  const core::Config& config_;
  const Population& population_;
  std::uint64_t seed_;
  std::int64_t start_ms_ = 0;
  std::size_t next_ = 0;
};

}  // namespace

std::string_view to_string(End end) {
  switch (end) {
    case End::assigned:
      return "assigned";
    case End::cancelled:
      return "cancelled";
    case End::expired:
      return "expired";
    case End::failed:
      return "failed";
    case End::away:
      return "away";
  }
  return "";
}

std::string recording_line() { return fmt::format("{{\"recording\":{}}}\n", version); }

std::string to_line(const RecordedTicket& t) {
  std::string attributes;
  for (const core::Attribute& attribute : t.attributes) {
    if (!attributes.empty()) attributes += ",";
    attributes += attribute_json(attribute);
  }
  std::string latency;
  for (const core::RegionLatency& region : t.latency)
    latency +=
        fmt::format("{}{}:{}", latency.empty() ? "" : ",", json_string(region.region), region.ms);
  if (!latency.empty()) latency = "\"latency\":{" + latency + "},";
  return fmt::format(
      "{{\"ticket\":{{\"at\":{},\"queue\":{},\"seats\":{},\"rating\":{},\"attributes\":{{{}}},"
      "{}\"wait\":{},\"end\":\"{}\"}}}}\n",
      t.at_ms, json_string(t.queue), t.seats, t.rating, attributes, latency, t.wait_ms,
      to_string(t.end));
}

std::string to_line(const RecordedMatch& m) {
  return fmt::format("{{\"match\":{{\"at\":{},\"queue\":{},\"players\":{},\"length\":{}}}}}\n",
                     m.at_ms, json_string(m.queue), m.players, m.length_ms);
}

std::expected<void, std::string> RecordingReader::read(std::string_view line) {
  if (line.size() > line_bytes_max) return std::unexpected("is longer than a line can be");
  json::error_code error;
  const json::value value = json::parse(line, error);
  if (error) return std::unexpected(fmt::format("is no JSON: {}", error.message()));
  const json::object* const object = value.if_object();
  if (!object || object->size() != 1)
    return std::unexpected("is no object with one member: ticket, match or recording");
  const json::key_value_pair& member = *object->begin();
  if (member.key() == "recording") {
    if (!member.value().is_int64() || member.value().get_int64() != version)
      return std::unexpected(
          fmt::format("is of another version of the format; this program reads {}", version));
    begun_ = true;
    return {};
  }
  if (!begun_)
    return std::unexpected("comes before {\"recording\":1}, with which a recording begins");
  const json::object* const inner = member.value().if_object();
  if (inner && member.key() == "ticket") {
    auto ticket = read_ticket(*inner);
    if (!ticket) return std::unexpected("is " + ticket.error());
    if (recording_.tickets.size() == tickets_max)
      return std::unexpected(
          fmt::format("is one ticket more than the {} that can be played again", tickets_max));
    recording_.tickets.push_back(std::move(*ticket));
    return {};
  }
  if (inner && member.key() == "match") {
    auto match = read_match(*inner);
    if (!match) return std::unexpected("is " + match.error());
    recording_.match_ms[match->queue].push_back(match->length_ms);
    return {};
  }
  return std::unexpected("is no object with one member: ticket, match or recording");
}

std::expected<Recording, std::string> RecordingReader::take() {
  if (recording_.tickets.empty()) return std::unexpected("has no tickets in it");
  // They were written when they ended. Not stable_sort: clang refuses libstdc++ 12's.
  std::vector<std::uint32_t> order(recording_.tickets.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, {},
                    [&](std::uint32_t i) { return std::pair(recording_.tickets[i].at_ms, i); });
  Recording sorted;
  sorted.match_ms = std::move(recording_.match_ms);
  for (const std::uint32_t i : order) sorted.tickets.push_back(std::move(recording_.tickets[i]));
  return sorted;
}

std::string misfit(const Recording& recording, const core::Config& config) {
  std::map<std::string, std::uint64_t> unknown;
  for (const RecordedTicket& ticket : recording.tickets)
    if (std::ranges::find(config.queues, ticket.queue, &core::QueueConfig::name) ==
        config.queues.end())
      ++unknown[ticket.queue];
  if (unknown.empty()) return {};
  return fmt::format("{} tickets are for the queue \"{}\", which the configuration does not have",
                     unknown.begin()->second, unknown.begin()->first);
}

std::unique_ptr<Arrivals> replay(const Recording& recording, const core::Config& config,
                                 const Population& population, std::uint64_t seed) {
  return std::make_unique<Replay>(recording, config, population, seed);
}

Population population_of_replay(Population population) {
  population.warm_up = Duration::zero();
  population.tries_again = 0;  // The recording has their next ticket.
  population.regions.clear();
  return population;
}

std::uint32_t hours_of(const Recording& recording) {
  if (recording.tickets.empty()) return 1;
  const std::int64_t first = recording.tickets.front().at_ms / hour_ms;
  const std::int64_t last = recording.tickets.back().at_ms / hour_ms;
  return static_cast<std::uint32_t>(std::min<std::int64_t>(replay_hours_max, last - first + 1));
}

}  // namespace muster::population
