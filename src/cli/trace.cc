#include "cli/trace.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <memory>
#include <optional>
#include <vector>

#include "base/id.h"
#include "cli/journal_walk.h"
#include "sim/history.h"

namespace muster::cli {
namespace {

namespace json = boost::json;

/// What is watched: the one asked for, then what it leads to.
struct Subject {
  enum class Kind { ticket, match, server };
  Kind kind;
  std::uint32_t slot = 0, generation = 0;
  std::string last;  // What was printed of it; empty: nothing yet.
  bool gone = false;

  template <class Tag>
  bool is(Kind of, Id<Tag> id) const {
    return kind == of && slot == id.slot && generation == id.generation;
  }
  std::string name() const {
    constexpr const char* kinds[] = {"ticket", "match", "server"};
    return fmt::format("{} {}.{}", kinds[static_cast<int>(kind)], slot, generation);
  }
};

struct Change {
  std::uint64_t number;
  Time time;
  std::string subject, state, cause;
};

class Tracer {
 public:
  Tracer(Subject::Kind kind, std::uint32_t slot, std::uint32_t generation) {
    subjects_.push_back({kind, slot, generation, {}, false});
  }

  void observe(const JournalStep& step) {
    for (std::size_t i = 0; i < subjects_.size(); ++i) look(i, step);
  }
  const std::vector<Change>& changes() const { return changes_; }

 private:
  void look(std::size_t index, const JournalStep& step) {
    if (subjects_[index].gone) return;
    const std::optional<std::string> now = state_of(index, step.state);
    Subject& subject = subjects_[index];
    if (!now && subject.last.empty()) return;  // Not there yet.
    const std::string shown = now.value_or("Ended");
    if (shown == subject.last) return;
    subject.last = shown;
    subject.gone = !now;
    changes_.push_back(
        {step.number, step.time, subject.name(), shown,
         step.event ? sim::to_text(*step.event) : "(not written: the disk was full)"});
  }

  /// In words; also adds what it leads to.
  std::optional<std::string> state_of(std::size_t index, const core::State& state) {
    const Subject subject = subjects_[index];
    switch (subject.kind) {
      case Subject::Kind::ticket: {
        const auto* ticket = state.tickets.find({subject.slot, subject.generation});
        if (!ticket) return std::nullopt;
        if (ticket->match) add(Subject::Kind::match, ticket->match);
        return fmt::format("{}{} in queue {}", core::to_string(ticket->state),
                           ticket->held ? " (away)" : "", state.config.queues[ticket->queue].name);
      }
      case Subject::Kind::match: {
        const auto* match = state.matches.find({subject.slot, subject.generation});
        if (!match) return std::nullopt;
        if (match->server) add(Subject::Kind::server, match->server);
        if (match->launching) add(Subject::Kind::server, match->launching);
        std::string text{core::to_string(match->state)};
        if (match->server) text += " on server " + to_string(match->server);
        if (match->launching) text += ", server " + to_string(match->launching) + " starts";
        if (match->attempts > 0) text += fmt::format(", {} failed", match->attempts);
        return text;
      }
      case Subject::Kind::server: {
        const auto* server = state.servers.find({subject.slot, subject.generation});
        if (!server) return std::nullopt;
        std::string text =
            fmt::format("{} on port {}", core::to_string(server->state), server->port);
        if (server->match) text += ", match " + to_string(server->match);
        if (server->stopping) text += ", stopping";
        return text;
      }
    }
    return std::nullopt;
  }

  template <class Tag>
  void add(Subject::Kind kind, Id<Tag> id) {
    for (const Subject& subject : subjects_)
      if (subject.is(kind, id)) return;
    subjects_.push_back({kind, id.slot, id.generation, {}, false});
  }

  std::vector<Subject> subjects_;
  std::vector<Change> changes_;
};

void print_lines(const std::vector<Change>& changes, std::FILE* out) {
  for (const Change& change : changes) {
    const double seconds =
        std::chrono::duration<double>(change.time - changes.front().time).count();
    fmt::print(out, "{}  +{:.3f}s  {:<12} {:<44} {}\n", change.number, seconds, change.subject,
               change.state, change.cause);
  }
}

/// The Chrome trace format that ui.perfetto.dev opens: a track for each subject, a slice for each
/// state; times in microseconds.
void print_perfetto(const std::vector<Change>& changes, std::FILE* out) {
  json::array events;
  std::vector<std::string> tracks;
  const Time last = changes.back().time;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const Change& change = changes[i];
    std::size_t track = 0;
    while (track < tracks.size() && tracks[track] != change.subject) ++track;
    if (track == tracks.size()) {
      tracks.push_back(change.subject);
      events.push_back({{"ph", "M"},
                        {"name", "thread_name"},
                        {"pid", 1},
                        {"tid", track + 1},
                        {"args", {{"name", change.subject}}}});
    }
    Time end = last;
    for (std::size_t next = i + 1; next < changes.size(); ++next)
      if (changes[next].subject == change.subject) {
        end = changes[next].time;
        break;
      }
    const auto micros = [&](Time time) {
      return (time - changes.front().time) / std::chrono::microseconds{1};
    };
    events.push_back({{"ph", "X"},
                      {"name", change.state},
                      {"pid", 1},
                      {"tid", track + 1},
                      {"ts", micros(change.time)},
                      {"dur", micros(end) - micros(change.time)},
                      {"args", {{"event", change.number}, {"cause", change.cause}}}});
  }
  fmt::print(out, "{}\n", json::serialize(json::object{{"traceEvents", std::move(events)}}));
}

}  // namespace

int run_trace(const TraceOptions& options, std::FILE* out, std::FILE* err) {
  const auto id = parse_id<core::TicketId>(options.id);
  if (!id) {
    fmt::print(err, "muster trace: \"{}\" is no id, such as 41.3\n", options.id);
    return 1;
  }
  const auto kind = options.kind == "ticket"  ? Subject::Kind::ticket
                    : options.kind == "match" ? Subject::Kind::match
                                              : Subject::Kind::server;
  Tracer tracer(kind, id->slot, id->generation);
  const auto walk = walk_journal(options.data, 0, UINT64_MAX,
                                 [&](const JournalStep& step) { tracer.observe(step); });
  if (!walk) {
    fmt::print(err, "muster trace: {}\n", walk.error());
    return 1;
  }
  for (const std::string& note : walk->notes) fmt::print(err, "muster trace: {}\n", note);
  if (tracer.changes().empty()) {
    fmt::print(err, "muster trace: there is no {} {} in events {} to {}\n", options.kind,
               options.id, walk->snapshot_number + 1, walk->number);
    return 1;
  }
  if (options.perfetto)
    print_perfetto(tracer.changes(), out);
  else
    print_lines(tracer.changes(), out);
  return 0;
}

void add_trace_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<TraceOptions>();
  CLI::App* command =
      app.add_subcommand("trace", "The life of one ticket, match or game server, with causes");
  command->add_option("kind", options->kind, "ticket, match or server")
      ->required()
      ->check(CLI::IsMember({"ticket", "match", "server"}));
  command->add_option("id", options->id, "Such as 41.3")->required()->type_name("ID");
  command->add_option("--data", options->data, "The lobby's data folder, which may be in use")
      ->capture_default_str()
      ->type_name("DIR");
  options->data = "data";
  command->add_flag("--perfetto", options->perfetto,
                    "Print a trace for ui.perfetto.dev instead of lines");
  command->callback([options, &exit_code] { exit_code = run_trace(*options, stdout, stderr); });
}

}  // namespace muster::cli
