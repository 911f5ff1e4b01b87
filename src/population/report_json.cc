// A report as JSON.
#include <fmt/format.h>

#include "population/compare.h"
#include "population/json_writer.h"
#include "population/report_show.h"

namespace muster::population {

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out += '\\', out += c;
    else if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      out += c;
  }
  return out + '"';
}

namespace {

void percentiles(JsonWriter& json, std::string_view key, const Histogram& histogram) {
  json.open_object(key);
  json.value("count", histogram.count());
  json.value("mean", histogram.mean());
  json.value("p50", histogram.percentile(500));
  json.value("p90", histogram.percentile(900));
  json.value("p99", histogram.percentile(990));
  json.value("max", histogram.max());
  json.close_object();
}

void waits(JsonWriter& json, const Waits& w) {
  json.value("players", w.players);
  json.value("gave_up", w.gave_up);
  json.value("expired", w.expired);
  json.value("failed", w.failed);
  percentiles(json, "wait_ms", w.assigned);
  percentiles(json, "latency_ms", w.latency);
}

void queue_json(JsonWriter& json, const Report& report, const QueueReport& queue) {
  json.open_object();
  json.value("name", queue.name);
  json.value("matches", queue.matches);
  json.value("matches_not_full", queue.smaller);
  json.value("matches_lost", queue.lost);
  json.value("seats_of_players", queue.players);
  json.value("seats_of_bots", queue.bots);
  json.value("players_moved_here", queue.moved);
  json.open_array("waiting");
  for (const WaitRow& row : wait_rows(report, queue)) {
    json.open_object();
    json.value("group", row.group);
    json.value("name", row.name);
    waits(json, *row.waits);
    json.close_object();
  }
  json.close_array();
  percentiles(json, "found_ms", queue.found);
  percentiles(json, "server_ms", queue.server);
  percentiles(json, "rating_spread", queue.spread);
  percentiles(json, "favourite_thousandths", queue.favourite);
  json.open_array("favourite_by_wait");
  for (std::size_t i = 0; i < queue.favourite_by_wait.size(); ++i) {
    json.open_object();
    if (i < wait_bounds_s.size())
      json.value("wait_s_max", wait_bounds_s[i]);
    else
      json.null("wait_s_max");
    percentiles(json, "favourite_thousandths", queue.favourite_by_wait[i]);
    json.close_object();
  }
  json.close_array();
  json.open_array("hours");
  for (const Waits& hour : queue.by_hour) {
    json.open_object();
    waits(json, hour);
    json.close_object();
  }
  json.close_array();
  json.close_object();
}

void fleet_json(JsonWriter& json, const FleetReport& fleet) {
  json.open_object();
  json.value("name", fleet.name);
  json.value("launches", fleet.launches);
  json.value("launch_failures", fleet.launch_failures);
  json.value("crashes", fleet.crashes);
  json.value("servers_max", fleet.servers_max);
  json.value("servers_peak", fleet.servers_peak);
  json.value("starting_s", fleet.starting_s);
  json.value("ready_s", fleet.ready_s);
  json.value("playing_s", fleet.playing_s);
  json.value("stopping_s", fleet.stopping_s);
  json.open_array("servers_peak_by_hour");
  for (const std::uint32_t peak : fleet.peak_by_hour) json.value({}, peak);
  json.close_array();
  json.close_object();
}

void report_json(JsonWriter& json, std::string_view key, const Report& report) {
  json.open_object(key);
  json.value("title", report.title);
  json.value("seed", report.seed);
  json.value("hours", report.hours);
  json.value("digest", fmt::format("{:016x}", report.digest));
  json.value("players", report.visitors);
  json.value("players_peak", report.players_peak);
  json.value("still_waiting", report.still_waiting);
  json.value("core_steps", report.steps);
  json.open_array("players_peak_by_hour");
  for (const std::uint32_t peak : report.players_by_hour) json.value({}, peak);
  json.close_array();
  json.open_object("refusals");
  for (const auto& [code, players] : report.refusals) json.value(code, players);
  json.close_object();
  json.open_array("queues");
  for (const QueueReport& queue : report.queues) queue_json(json, report, queue);
  json.close_array();
  json.open_array("fleets");
  for (const FleetReport& fleet : report.fleets) fleet_json(json, fleet);
  json.close_array();
  json.close_object();
}

}  // namespace

std::string to_json(const Report& report) {
  JsonWriter json;
  report_json(json, {}, report);
  return json.take();
}

std::string to_json(const Report& a, const Report& b) {
  JsonWriter json;
  json.open_object();
  report_json(json, "a", a);
  report_json(json, "b", b);
  json.open_array("differences");
  for (const Difference& d : differences(a, b)) {
    json.open_object();
    json.value("section", d.section);
    json.value("name", d.name);
    json.value("unit", to_string(d.unit));
    json.value("a", d.a);
    json.value("b", d.b);
    json.value("difference", d.b - d.a);
    json.close_object();
  }
  json.close_array();
  json.close_object();
  return json.take();
}

}  // namespace muster::population
