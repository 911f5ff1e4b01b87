#pragma once
// Runs the stories in tests/scenarios: events in, effects out. tests/scenarios/README.md has the
// format. Test code; not part of the library.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/core.h"

namespace muster::core {

/// One line, taken apart: words in order, key=value pairs apart from them. "…" holds spaces.
struct ScenarioLine {
  explicit ScenarioLine(std::string_view line);

  const std::string& word(std::size_t index) const;  // Throws if there is none.
  std::string word_or(std::size_t index, std::string otherwise) const;
  bool flag(std::string_view word) const;  // Stands somewhere after the command.
  std::optional<std::string> value(std::string_view key) const;
  std::string text() const;  // The quoted words, joined; empty if there are none.

  std::vector<std::string> words;
  std::vector<std::string> quoted;
  std::vector<std::pair<std::string, std::string>> values;
};

Duration parse_duration(std::string_view text);  // "30s", "500ms", "10m", "1h"; throws.
std::string print_duration(Duration duration);   // "30.003s"; whole units without a fraction.

/// The fleet, queue and config lines at the head of a scenario, and below its reload. Throws on
/// what it does not know.
void configure(Config& config, const ScenarioLine& line);

/// What a core's state comes back as after each step: store's tests put its codec here, so that
/// every story is also told by cores that were saved and loaded. Empty: the core just goes on.
extern std::function<std::unique_ptr<State>(const State&)> scenario_through_bytes;

/// One scenario being played: the world around one core, with names for what lives in it.
class Scenario {
 public:
  explicit Scenario(Config config);

  /// Plays one line (its indented lines follow it) and returns all that came of it, a line each.
  /// Throws std::runtime_error if the line makes no sense.
  std::string play(std::string_view line, const std::vector<std::string>& indented);

  /// Steps a second core through the same events: must come to the same digest.
  bool replays() const;

 private:
  // scenario_commands_test.cc
  std::optional<Event> event_of(const ScenarioLine& line, const std::vector<std::string>& indented);
  std::optional<Event> session_event(const ScenarioLine& line);
  std::optional<Event> party_event(const ScenarioLine& line);
  std::optional<Event> server_event(const ScenarioLine& line);
  std::vector<Standing> standings(const ScenarioLine& line) const;
  Event node_connected(const ScenarioLine& line, const std::vector<std::string>& indented);
  std::uint32_t version_of(const ScenarioLine& report) const;
  SessionId session(const ScenarioLine& line) const;
  ServerId server(const std::string& name) const;
  PlayerId player(const std::string& name) const;
  void step(const Event& event);
  void advance(Duration duration);

  // scenario_print_test.cc
  bool show(const std::string& what);  // False: nothing of that name to show.
  void print(const Effect& effect);
  void print_why(TicketId id);
  std::string name_of_session(SessionId id) const;
  std::string name_of_node(NodeId id) const;
  std::string print(const Roster& roster) const;

  struct Known {
    PlayerId id;
    Secret secret{};
  };

  Config config_;
  Core core_;
  Time now_{};
  std::string out_;
  std::vector<std::pair<Event, Time>> history_;
  std::map<std::string, SessionId> sessions_;
  std::map<SessionId, std::string> session_names_;
  std::map<SessionId, std::uint32_t> requests_;  // The last number each session used.
  std::map<std::string, NodeId> nodes_;
  std::map<NodeId, std::string> node_names_;
  std::map<std::string, Known> players_;      // By name: the last one welcomed.
  std::map<std::string, ServerId> launched_;  // "srv1" is the first launched.
  std::uint8_t secrets_ = 0;
};

}  // namespace muster::core
