#pragma once
// Columns of text for a terminal.

#include <string>
#include <vector>

namespace muster::cli {

/// Lines with their columns aligned: numbers to the right, the rest to the left. The first row is
/// the heading. Bytes that a terminal would obey are shown as '?'.
std::string format_table(const std::vector<std::vector<std::string>>& rows);

/// "3s", "2m 5s", "1h 4m", "3d 2h": how long, for people.
std::string format_age(double seconds);

}  // namespace muster::cli
