#pragma once

namespace muster::sim {

class World;

/// While it lives, a failed CHECK (or another abort) in this thread first writes the world's
/// context to standard error: the seed, the last events, the command that repeats it. One at a
/// time.
class CrashNote {
 public:
  explicit CrashNote(const World& world);
  ~CrashNote();
  CrashNote(const CrashNote&) = delete;
  CrashNote& operator=(const CrashNote&) = delete;
};

}  // namespace muster::sim
