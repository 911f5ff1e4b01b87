#pragma once
// Watches a game server that has no SDK (proto Ready and End): when it is Ready, whether it still
// answers, how many players it has, and when its match is over. It only says what it sees; the
// lobby decides.

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "node/game_server.h"
#include "node/line_reader.h"
#include "node/sock_diag.h"
#include "node/udp_query.h"
#include "wire/pattern.h"

namespace muster::node {

/// Patterns by their text, so that the launches of a fleet compile theirs once.
class PatternCache {
 public:
  std::expected<wire::Pattern, std::string> get(const std::string& text);

 private:
  static constexpr std::size_t patterns_max = 256;
  std::map<std::string, wire::Pattern> patterns_;
};

/// One game server; owned by it. Single-threaded.
class PlainServer : public std::enable_shared_from_this<PlainServer> {
 public:
  using Report = std::function<void(GameServer&, wire::node::FromNode&&)>;
  struct Tools {
    boost::asio::io_context& io;
    SockDiag& diag;
    PatternCache& patterns;
    Report report;
  };

  /// Begins to watch a server that has just been launched. The error, for people, is about the
  /// launch's patterns and ports: a lobby has checked them.
  static std::expected<void, std::string> watch(GameServer& server,
                                                const wire::node::Launch& launch,
                                                const Tools& tools);

  /// The same for one that another node has watched before; `begun` is what it has printed of a
  /// line that is not ended.
  static std::expected<void, std::string> watch_again(GameServer& server,
                                                      const wire::node::Launch& launch,
                                                      const Tools& tools, std::string_view begun);

  void on_output(std::string_view bytes);
  /// The lobby has given the server a match (GameServer::match), or has ended it.
  void match_started();
  void match_ended(const std::string& match_id);
  /// The process has ended: what it printed last still counts.
  void on_exit();

 private:
  using Clock = std::chrono::steady_clock;
  /// A query of the launch, filled in.
  struct Question {
    std::uint16_t port = 0;
    std::string request;
    wire::Pattern expect;
  };

  PlainServer(GameServer& server, const Tools& tools);
  static std::expected<std::shared_ptr<PlainServer>, std::string> make(
      GameServer& server, const wire::node::Launch& launch, const Tools& tools);
  void wait_until_ready();
  void watch_health();
  std::expected<void, std::string> prepare(const wire::node::Launch& launch);
  std::expected<Question, std::string> prepare(const wire::node::UdpQuery& query,
                                               const wire::node::Launch& launch);

  void look();
  void look_again();
  void on_ready_answer(std::string_view answer);
  void become_ready();
  void note_later();
  std::string note() const;
  void look_at_health();
  void count_players_later();
  void ask_for_players();
  void on_line(std::string_view line);
  void players(std::uint32_t count);
  void end_match(std::string_view result);
  void stop_asking_for_players();
  bool gone() const { return server_.exit || server_.stopping; }
  Clock::duration elapsed() const { return Clock::now() - launched_at_; }
  void report(wire::node::FromNode&& message) { tools_.report(server_, std::move(message)); }
  template <class F>
  void after(Timer& timer, Clock::duration delay, F f);

  GameServer& server_;
  Tools tools_;
  Clock::time_point launched_at_ = Clock::now();
  LineReader lines_;

  // Ready.
  wire::node::Ready ready_;
  Transport transport_ = Transport::tcp;
  std::uint16_t ready_port_ = 0;
  Question ready_question_;
  wire::Pattern ready_line_;
  std::optional<Clock::time_point> bound_at_;
  std::uint32_t looks_ = 0;
  std::string other_answer_;  // One that was not as expected; its beginning.
  bool any_answer_ = false;
  std::string noted_;
  UdpQuery ready_query_;
  Timer look_timer_, note_timer_;
  // After Ready.
  bool asked_ = false;          // And not answered.
  std::uint32_t failures_ = 0;  // In a row.

  // The match.
  wire::Pattern end_line_, joined_line_, left_line_;
  Question players_question_;
  std::chrono::milliseconds players_interval_{0};
  std::uint32_t players_ = 0;
  UdpQuery players_query_;
  Timer players_timer_;
};

}  // namespace muster::node
