// metrics_view(): what Prometheus reads.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "server/admin_view.h"
#include "server/version.h"

namespace muster::server {
namespace {

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

class MetricsWriter {
 public:
  /// Starts a family; its samples follow.
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    fmt::format_to(to(), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }

  template <class Number>
  void sample(Labels labels, Number value) {
    out_ += name_;
    char separator = '{';
    for (const auto& [label, text] : labels) {
      out_ += separator;
      out_ += label;
      out_ += "=\"";
      for (const char c : text) {
        if (c == '\\' || c == '"') out_ += '\\';
        if (c == '\n')
          out_ += "\\n";
        else
          out_ += c;
      }
      out_ += '"';
      separator = ',';
    }
    if (labels.size() > 0) out_ += '}';
    fmt::format_to(to(), " {}\n", value);
  }

  template <class Number>
  void single(std::string_view name, std::string_view type, std::string_view help, Number value) {
    family(name, type, help);
    sample({}, value);
  }

  std::string take() { return std::move(out_); }

 private:
  std::back_insert_iterator<std::string> to() { return std::back_inserter(out_); }

  std::string out_;
  std::string name_;
};

void lobby(MetricsWriter& out, const Loop& loop, const Census& census) {
  const core::State& state = loop.core().state();
  out.family("muster_build_info", "gauge", "Always 1; the version is the label.");
  out.sample({{"version", version}}, 1);
  out.single("muster_uptime_seconds", "gauge", "Since this lobby started.",
             std::chrono::duration<double>(loop.now() - loop.started()).count());
  out.single("muster_sessions", "gauge", "Connections of any kind.", state.sessions.size());
  out.family("muster_players", "gauge", "Players known.");
  out.sample({{"state", "connected"}}, census.connected);
  out.sample({{"state", "disconnected"}}, census.disconnected);
  out.single("muster_parties", "gauge", "Parties there are.", state.parties.size());
  std::uint32_t nodes = 0;
  for (const auto& node : state.nodes) nodes += node->link ? 1u : 0u;
  out.single("muster_nodes_connected", "gauge", "Nodes that could launch now.", nodes);
}

void queues(MetricsWriter& out, const core::State& state, const Census& census) {
  out.family("muster_tickets", "gauge", "Tickets that wait, by queue and state.");
  for (std::size_t i = 0; i < census.queues.size(); ++i) {
    if (state.queues[i].removed && census.queues[i].matched == 0) continue;
    const std::string& queue = state.config.queues[i].name;
    out.sample({{"queue", queue}, {"state", "queued"}}, census.queues[i].queued);
    out.sample({{"queue", queue}, {"state", "offered"}}, census.queues[i].offered);
    out.sample({{"queue", queue}, {"state", "matched"}}, census.queues[i].matched);
  }
}

void fleets(MetricsWriter& out, const core::State& state, const Census& census) {
  const auto each = [&](auto&& f) {
    for (std::size_t i = 0; i < census.fleets.size(); ++i)
      if (!state.fleets[i].removed || state.fleets[i].servers > 0)
        f(state.config.fleets[i].name, census.fleets[i]);
  };
  out.family("muster_matches", "gauge", "Matches, by fleet and state.");
  each([&](const std::string& fleet, const Census::Fleet& counted) {
    out.sample({{"fleet", fleet}, {"state", "offered"}}, counted.offered);
    out.sample({{"fleet", fleet}, {"state", "launching"}}, counted.launching);
    out.sample({{"fleet", fleet}, {"state", "playing"}}, counted.playing);
  });
  out.family("muster_servers", "gauge", "Game servers, by fleet and state.");
  each([&](const std::string& fleet, const Census::Fleet& counted) {
    out.sample({{"fleet", fleet}, {"state", "starting"}}, counted.starting);
    out.sample({{"fleet", fleet}, {"state", "ready"}}, counted.ready);
    out.sample({{"fleet", fleet}, {"state", "reserved"}}, counted.reserved);
    out.sample({{"fleet", fleet}, {"state", "allocated"}}, counted.allocated);
    out.sample({{"fleet", fleet}, {"state", "stopping"}}, counted.stopping);
  });
  out.family("muster_servers_outdated", "gauge",
             "Game servers launched with another configuration than the fleet's now.");
  each([&](const std::string& fleet, const Census::Fleet& counted) {
    out.sample({{"fleet", fleet}}, counted.outdated);
  });
  out.family("muster_fleet_crash_loop", "gauge", "1 while all game servers of the fleet fail.");
  for (std::size_t i = 0; i < state.fleets.size(); ++i)
    if (!state.fleets[i].removed)
      out.sample({{"fleet", state.config.fleets[i].name}}, state.fleets[i].crash_loop ? 1 : 0);
  out.family("muster_ports", "gauge", "Ports, by fleet and state.");
  each([&](const std::string& fleet, const Census::Fleet& counted) {
    out.sample({{"fleet", fleet}, {"state", "free"}}, counted.ports_free);
    out.sample({{"fleet", fleet}, {"state", "set_aside"}}, counted.ports_aside);
    out.sample({{"fleet", fleet}, {"state", "used"}},
               counted.ports - counted.ports_free - counted.ports_aside);
  });
}

void totals(MetricsWriter& out, const Loop& loop) {
  const core::State::Totals& totals = loop.core().state().totals;
  out.single("muster_events_total", "counter", "Events stepped through.", loop.events());
  out.single("muster_tickets_total", "counter", "Tickets begun.", totals.tickets);
  out.single("muster_matches_total", "counter", "Matches formed.", totals.matches);
  out.single("muster_parties_total", "counter", "Parties created.", totals.parties);
  out.single("muster_offers_total", "counter", "Matches whose players were asked to accept.",
             totals.offers);
  out.single("muster_offers_accepted_total", "counter", "Those that all accepted.",
             totals.offers_accepted);
  out.single("muster_offers_failed_total", "counter",
             "Those that somebody declined, did not answer, or left.", totals.offers_failed);
  out.single("muster_decline_penalties_total", "counter", "Players kept from a queue for that.",
             totals.penalties);
  out.single("muster_launches_total", "counter", "Game servers launched.", totals.launches);
  out.single("muster_launch_failures_total", "counter", "Launches that did not become Ready.",
             totals.launch_failures);
  out.single("muster_crash_loops_total", "counter", "Times a fleet fell into a crash loop.",
             totals.crash_loops);
  out.single("muster_reloads_total", "counter", "Times the configuration was read again.",
             totals.reloads);
  out.single("muster_servers_lost_total", "counter",
             "Game servers that ended when they should not.", totals.servers_lost);
}

/// The names that every Prometheus client library uses for its process.
void journaling(MetricsWriter& out, const JournalStatus& journal) {
  out.single("muster_journal_healthy", "gauge", "1 while events are written to the journal.",
             journal.healthy ? 1 : 0);
  out.single("muster_journal_bytes_total", "counter", "Written to the journal.", journal.bytes);
  out.single("muster_journal_failures_total", "counter",
             "Times the journal could not be written any more.", journal.failures);
}

void results(MetricsWriter& out, const core::State& state, const StorageStatus& storage) {
  out.single("muster_results_healthy", "gauge", "1 while results are recorded as they come.",
             storage.healthy ? 1 : 0);
  out.single("muster_results_outstanding", "gauge", "Results that wait to be recorded.",
             state.results.size());
  out.single("muster_results_recorded_total", "counter", "Results of rated matches recorded.",
             state.totals.results_recorded);
  out.single("muster_results_refused_total", "counter",
             "Results that were none of their match, or for which there was no room.",
             state.totals.results_refused);
}

void process(MetricsWriter& out) {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  out.single("process_cpu_seconds_total", "counter", "User and system time.",
             seconds(used.ru_utime) + seconds(used.ru_stime));
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0;
  std::uint64_t resident = 0;
  if (statm >> pages >> resident)
    out.single("process_resident_memory_bytes", "gauge", "Resident memory.",
               resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0)
    out.single("process_max_fds", "gauge", "Descriptors that may be open.",
               static_cast<std::uint64_t>(limit.rlim_cur));
}

}  // namespace

std::string metrics_view(const Loop& loop, const JournalStatus& journal,
                         const StorageStatus& storage) {
  const core::State& state = loop.core().state();
  const Census census = take_census(state);
  MetricsWriter out;
  lobby(out, loop, census);
  queues(out, state, census);
  fleets(out, state, census);
  totals(out, loop);
  results(out, state, storage);
  if (journal.enabled) journaling(out, journal);
  process(out);
  return out.take();
}

}  // namespace muster::server
