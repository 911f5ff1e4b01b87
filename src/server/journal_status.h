#pragma once
// How the journal is: for the admin API, the metrics, and whoever reads them.

#include <cstdint>
#include <string>

namespace muster::server {

struct JournalStatus {
  bool enabled = true;
  bool healthy = true;
  std::string error;                  // While not healthy.
  std::uint64_t number = 0;           // Of the last event written.
  std::uint64_t bytes = 0;            // Written since the start.
  std::uint64_t snapshot_number = 0;  // Of the last event in the newest snapshot.
  std::uint64_t failures = 0;         // Times that it became unhealthy.
};

}  // namespace muster::server
