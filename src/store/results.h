#pragma once
// What matches came to, and the ratings that come of it: written together, or not at all.

#include <expected>
#include <span>
#include <string>
#include <vector>

#include "core/effect.h"
#include "core/event.h"
#include "store/database.h"

namespace muster::store {

/// Records results, in their order, in one transaction. A result that is there already, because its
/// lobby died before it heard so, changes nothing; what is returned for it are the ratings as they
/// are. An error means that nothing was written.
///
/// Ratings change if all of a match's players have accounts: a guest is nobody whose strength is
/// known. A match with guests is recorded all the same.
std::expected<std::vector<core::ResultRecorded>, std::string> record_results(
    const Database& database, std::span<const core::RecordResult> results);

}  // namespace muster::store
