#include "cli/journal_walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "store/journal_reader.h"
#include "store/snapshot.h"

namespace muster::cli {
namespace {

using OnStep = std::function<void(const JournalStep&)>;

/// Steps from where `walk` is to `until`. True if a gap ended it that a snapshot leads over, at
/// which `walk` then is.
std::expected<bool, std::string> walk_to_gap(const std::string& journal, std::uint64_t until,
                                             JournalWalk& walk, const OnStep& on_step) {
  core::Effects effects;
  const auto end = store::read_journal(
      journal, walk.number, [&](std::uint64_t number, Time time, core::Event&& event) {
        effects.clear();
        walk.core.step(event, time, effects);
        walk.number = number;
        ++walk.events;
        on_step({number, time, &event, effects, walk.core.state()});
        return number < until;
      });
  if (!end) return std::unexpected(to_string(end.error()));
  if (end->torn)
    walk.notes.push_back(fmt::format("{}: {} bytes after offset {} are not a whole record (yet)",
                                     end->torn->file, end->torn->bytes, end->torn->offset));
  if (end->gap_before == 0 || walk.number >= until) return false;

  walk.notes.push_back(
      fmt::format("events {} to {} were not written", walk.number + 1, end->gap_before - 1));
  const auto snapshots = store::list_journal(journal, store::snapshot_suffix);
  if (!snapshots) return std::unexpected(snapshots.error());
  const auto over = std::ranges::find_if(*snapshots, [&](const auto& snapshot) {
    return snapshot.number + 1 >= end->gap_before && snapshot.number <= until;
  });
  if (over == snapshots->end()) return false;
  std::vector<std::string> passed_over;
  auto snapshot = store::newest_snapshot(journal, passed_over, over->number);
  if (!snapshot) return std::unexpected(snapshot.error());
  if ((*snapshot)->header.number + 1 < end->gap_before) return false;  // That one is not whole.
  walk.core = core::Core(std::move((*snapshot)->state));
  walk.number = (*snapshot)->header.number;
  on_step({walk.number, (*snapshot)->header.time, nullptr, {}, walk.core.state()});
  return walk.number < until;
}

}  // namespace

std::expected<JournalWalk, std::string> walk_journal(
    const std::string& folder, std::uint64_t from, std::uint64_t until,
    const std::function<void(const JournalStep&)>& on_step) {
  std::error_code error;
  const std::string inside = folder + "/journal";
  const std::string journal = std::filesystem::is_directory(inside, error) ? inside : folder;
  const auto snapshots = store::list_journal(journal, store::snapshot_suffix);
  if (!snapshots) return std::unexpected(snapshots.error());
  if (snapshots->empty())
    return std::unexpected(fmt::format("{} has no journal: no snapshot is there", folder));
  if (until < snapshots->front().number)
    return std::unexpected(
        fmt::format("event {} is not kept any more: the oldest snapshot in {} is of event {}",
                    until, journal, snapshots->front().number));
  std::vector<std::string> passed_over;
  const std::uint64_t begin_at = std::max(std::min(from, until), snapshots->front().number);
  auto snapshot = store::newest_snapshot(journal, passed_over, begin_at);
  if (!snapshot) return std::unexpected(snapshot.error());

  const store::SnapshotHeader& header = (*snapshot)->header;
  JournalWalk walk{.snapshot_number = header.number,
                   .snapshot_time = header.time,
                   .number = header.number,
                   .core = core::Core(std::move((*snapshot)->state))};
  if (until <= header.number) return walk;
  for (;;) {
    const auto more = walk_to_gap(journal, until, walk, on_step);
    if (!more) return std::unexpected(more.error());
    if (!*more) break;
  }
  return walk;
}

}  // namespace muster::cli
