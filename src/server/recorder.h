#pragma once
// `muster serve --record`: what players do, as lines of population/recording.h, without saying who.
// Looks at what passes the loop; decides nothing, and says nothing to anybody.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/time.h"
#include "core/effect.h"
#include "core/event.h"
#include "core/state.h"
#include "population/recording.h"
#include "server/recording_file.h"

namespace muster::server {

class Recorder {
 public:
  explicit Recorder(std::unique_ptr<RecordingFile> file);

  /// An event that has been stepped, with what came of it, and the state now.
  void watch(Time now, const core::Event& event, std::span<const core::Effect> effects,
             const core::State& state);
  /// Hands over what has come together.
  void flush();

 private:
  struct Ticket {
    core::TicketId id;
    Time since{};
    population::RecordedTicket line;
  };
  struct Match {
    core::MatchId id;
    Time since{};
    population::RecordedMatch line;
  };
  void begin(Time now, const core::StartMatch& event, const core::SendTicket& ticket,
             const core::State& state);
  void end(Time now, core::TicketId id, population::RecordedTicket::End how);
  void begin(Time now, const core::StartServerMatch& match);
  void end(Time now, const core::SendMatchEnded& match);
  void look_for_lost(Time now, const core::State& state);

  std::unique_ptr<RecordingFile> file_;
  std::vector<std::optional<Ticket>> tickets_;  // By the slots of their ids.
  std::vector<std::optional<Match>> matches_;
  std::string lines_;
  Time looked_{};
};

}  // namespace muster::server
