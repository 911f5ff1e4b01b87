#pragma once

#include <string_view>

namespace muster::core {

/// Player names: 1 to 32 bytes of well-formed UTF-8 without control characters.
bool name_valid(std::string_view name);

}  // namespace muster::core
