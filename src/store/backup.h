#pragma once
// A copy of what a lobby's data folder must not lose, made while the lobby runs.

#include <cstdint>
#include <expected>
#include <string>

namespace muster::store {

struct Backup {
  std::uint64_t event = 0;          // The last one in it; 0: there is no journal, or nothing in it.
  std::uint64_t journal_bytes = 0;  // Of its snapshot and segments.
  std::uint64_t accounts_bytes = 0;  // 0: there is no accounts.db.
};

/// Copies the journal (its newest snapshot and the events after it), accounts.db and join.key of
/// the folder `data` into `to`, which must not be there yet; it appears when it is whole and on the
/// disk. What was copied has been read again. A lobby that runs on `data` goes on undisturbed, and
/// one that is started on the copy goes on from there. The error says which file, why, and what to
/// do.
std::expected<Backup, std::string> back_up(const std::string& data, const std::string& to);

}  // namespace muster::store
