#include "server/recovery.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/digest.h"
#include "core/state.h"
#include "store/journal_reader.h"
#include "store/snapshot.h"

namespace muster::server {
namespace {

std::expected<std::optional<store::Snapshot>, std::string> load_newest(
    const std::string& folder, std::vector<std::string>& notes) {
  std::error_code error;
  if (!std::filesystem::exists(folder, error)) return std::nullopt;
  auto snapshot = store::newest_snapshot(folder, notes);
  for (std::string& note : notes) note.insert(0, "a snapshot was passed over: ");
  return snapshot;
}

}  // namespace

std::expected<Recovered, std::string> recover(const std::string& folder,
                                              const core::Config& config) {
  std::vector<std::string> notes;
  auto snapshot = load_newest(folder, notes);
  if (!snapshot) return std::unexpected(snapshot.error());
  if (!*snapshot) {
    const auto segments = store::list_journal(folder, store::segment_suffix);
    if (segments && !segments->empty())
      return std::unexpected(
          fmt::format("{} has events but no snapshot to begin with. Restore the folder from a "
                      "backup, or move it away to start without what it holds",
                      folder));
    return Recovered{.core = core::Core(config)};
  }
  const store::SnapshotHeader& header = (*snapshot)->header;
  Recovered recovered{.core = core::Core(std::move((*snapshot)->state)),
                      .number = header.number,
                      .time = header.time,
                      .notes = std::move(notes)};
  if (header.digest != 0 && header.digest != recovered.core.digest())
    return std::unexpected(
        fmt::format("{}: the state loaded is not the one that was written (its digest differs); "
                    "this is a bug worth reporting",
                    (*snapshot)->path));
  core::Effects effects;
  std::uint64_t differs_at = 0;  // The first turn after which the state is another than it was.
  const auto end = store::read_journal(
      folder, recovered.number,
      [&](std::uint64_t number, Time time, core::Event&& event) {
        recovered.core.step(event, time, effects);
        effects.clear();
        recovered.number = number;
        recovered.time = time;
        ++recovered.events;
        return differs_at == 0;
      },
      [&](std::uint64_t number, std::uint64_t digest) {
        ++recovered.turns_compared;
        if (differs_at == 0 && recovered.core.digest() != digest) differs_at = number;
      });
  if (!end) return std::unexpected(to_string(end.error()));
  if (differs_at != 0)
    return std::unexpected(
        fmt::format("{}: event {} led to another state than when it happened (its digest differs); "
                    "this is a bug worth reporting, with that folder. Move it away to start "
                    "without what it holds",
                    folder, differs_at));
  if (end->gap_before > 0)
    recovered.notes.push_back(
        fmt::format("the journal could not be written for a while: what happened between event {} "
                    "and event {} is not known",
                    recovered.number, end->gap_before));
  if (end->torn) {
    if (auto cut = store::cut_torn_tail(folder, *end->torn); !cut)
      return std::unexpected(cut.error());
    recovered.notes.push_back(
        fmt::format("{}: the last {} bytes were not wholly written and were cut at offset {}; no "
                    "effect of theirs had left",
                    end->torn->file, end->torn->bytes, end->torn->offset));
  }
  return recovered;
}

std::uint64_t digest_of(const core::Config& config) {
  std::string bytes;
  store::Writer(bytes).put(config);
  Digest digest;
  digest.add(bytes);
  return digest.value();
}

}  // namespace muster::server
