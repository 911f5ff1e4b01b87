#pragma once
// CHECK(condition, "why it must hold"): a bug if it does not. Stays on in release builds.

#include <cstdio>
#include <cstdlib>

namespace muster {

[[noreturn]] inline void check_failed(const char* file, int line, const char* condition,
                                      const char* why) {
  std::fprintf(stderr, "%s:%d: CHECK(%s) failed: %s\n", file, line, condition, why);
  std::abort();
}

}  // namespace muster

#define CHECK(condition, why)                                      \
  do {                                                             \
    if (!(condition)) [[unlikely]]                                 \
      ::muster::check_failed(__FILE__, __LINE__, #condition, why); \
  } while (false)
