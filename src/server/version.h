#pragma once

#include <string_view>

namespace muster {

/// Of this program; the same as CMakeLists.txt's project(), which a test checks.
inline constexpr std::string_view version = "0.1.0";

}  // namespace muster
