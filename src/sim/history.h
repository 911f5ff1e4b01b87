#pragma once
// What happened: all of it as one number, the end of it as text.

#include <cstdint>
#include <deque>
#include <string>

#include "base/digest.h"
#include "base/time.h"
#include "core/effect.h"
#include "core/event.h"
#include "core/state.h"

namespace muster::sim {

class History {
 public:
  void add(Time now, const core::Event& event, const core::Effects& effects);
  /// Something that happened to the world but is no event of the core.
  void note(Time now, std::string text);
  /// A number that must repeat with the seed, like the last draw of a generator.
  void fold(std::uint64_t value) { digest_.add(value); }

  /// Every event and effect so far, with all their fields and times.
  std::uint64_t digest() const { return digest_.value(); }

  /// The last 50 events, each followed by its effects; one line each.
  std::string tail() const;

 private:
  struct Entry {
    Time at;
    std::string note;
    core::Event event;
    core::Effects effects;
  };
  static constexpr std::size_t kept_max = 50;

  void keep(Entry entry);

  std::deque<Entry> last_;
  Digest digest_;
};

/// One line: its name and every field that says something.
std::string to_text(const core::Event& event);
std::string to_text(const core::Effect& effect);

/// What there is, a line each: tickets, matches, servers.
std::string to_text(const core::State& state);

/// "12.345678s": virtual time since the start of the run.
std::string to_text(Time at);

}  // namespace muster::sim
