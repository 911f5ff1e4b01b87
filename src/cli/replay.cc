#include "cli/replay.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <deque>
#include <memory>

#include "cli/journal_walk.h"
#include "sim/history.h"

namespace muster::cli {

int run_replay(const ReplayOptions& options, std::FILE* out, std::FILE* err) {
  std::deque<std::string> last;
  const auto walk =
      walk_journal(options.folder, options.from, options.until, [&](const JournalStep& step) {
        std::string text = fmt::format("{}  {}  {}\n", step.number, sim::to_text(step.time),
                                       step.event ? sim::to_text(*step.event)
                                                  : "(a snapshot: what led to it was not written)");
        for (const core::Effect& effect : step.effects)
          text += fmt::format("      -> {}\n", sim::to_text(effect));
        last.push_back(std::move(text));
        if (last.size() > options.last) last.pop_front();
      });
  if (!walk) {
    fmt::print(err, "muster replay: {}\n", walk.error());
    return 1;
  }
  for (const std::string& text : last) fmt::print(out, "{}", text);
  fmt::print(out, "from the snapshot of event {}, {} events to event {}; digest {:016x}\n",
             walk->snapshot_number, walk->events, walk->number, walk->core.digest());
  if (options.state) fmt::print(out, "{}", sim::to_text(walk->core.state()));
  for (const std::string& note : walk->notes) fmt::print(out, "{}\n", note);
  return 0;
}

void add_replay_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ReplayOptions>();
  CLI::App* command =
      app.add_subcommand("replay", "Step the core through a lobby's journal, as it happened");
  command->add_option("folder", options->folder, "The lobby's data folder, or a copy of it")
      ->required()
      ->type_name("DIR");
  command->add_option("--until", options->until, "The last event; by default all there are");
  command->add_option(
      "--from", options->from,
      "Begin at the newest snapshot before this event, 0 for the oldest; by default "
      "at the newest before the last event");
  command->add_option("--last", options->last, "How many events to print")->capture_default_str();
  command->add_flag("--state", options->state,
                    "Print tickets, matches and game servers at the end");
  command->callback([options, &exit_code] { exit_code = run_replay(*options, stdout, stderr); });
}

}  // namespace muster::cli
