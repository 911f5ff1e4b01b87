#include "sim/crash_note.h"

#include <csignal>
#include <cstdio>
#include <string>

#include "base/check.h"
#include "sim/world.h"

namespace muster::sim {
namespace {

const World* running = nullptr;
void (*handler_before)(int) = SIG_DFL;

/// Allocates, which a handler of signals from elsewhere must not; abort() comes from our own
/// CHECKs, outside any allocation.
void on_abort(int) {
  std::signal(SIGABRT, SIG_DFL);
  if (running) std::fputs(running->context().c_str(), stderr);
}

}  // namespace

CrashNote::CrashNote(const World& world) {
  CHECK(!running, "one at a time");
  running = &world;
  handler_before = std::signal(SIGABRT, on_abort);
}

CrashNote::~CrashNote() {
  std::signal(SIGABRT, handler_before);
  running = nullptr;
}

}  // namespace muster::sim
