#pragma once
// How the file of accounts, ratings and results is: for the admin API, the metrics, and whoever
// reads them.

#include <cstdint>
#include <string>

namespace muster::server {

struct StorageStatus {
  bool healthy = true;         // Results are recorded as they come.
  std::string error;           // While not healthy.
  std::uint64_t failures = 0;  // Times that it became unhealthy.
};

}  // namespace muster::server
