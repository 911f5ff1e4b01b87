// A two-player game whose server decides everything: a game server of Muster's, whole.
//
//   duel_server PORT
//
// It binds PORT, says that it is ready, and plays one match after another until it is stopped.
// A player connects and speaks lines:
//
//   player: join TOKEN              the join token of their assignment
//   server: hello ann, you fight bob
//   server: round 1 you 10 they 10
//   player: attack | guard | feint
//   server: moves attack feint      what you did, what they did
//   ...
//   server: end won | lost | draw
//
// Everything is bounded: connections, the length of a line, and the time for joining and for a
// move. Who does not come, leaves, or does not move in time has lost.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "duel.h"
#include "muster/gs.hpp"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t connections_max = 16;
constexpr std::size_t line_bytes_max = MUSTER_GS_JOIN_TOKEN_BYTES_MAX + 16;
constexpr auto hello_time = 5s;  // From connecting to "join".
constexpr auto node_time = 2s;   // For an answer from Muster.

/// A setting in seconds from the environment: what [fleet.env] is for.
std::chrono::seconds seconds_of(const char* name, std::chrono::seconds otherwise) {
  const char* text = std::getenv(name);
  const int count = text ? std::atoi(text) : 0;
  return count > 0 ? std::chrono::seconds(count) : otherwise;
}

const auto join_time = seconds_of("DUEL_JOIN_SECONDS", 20s);  // Start to both being here.
const auto move_time = seconds_of("DUEL_MOVE_SECONDS", 30s);  // For one move.

/// A connection. Not yet a player of the match until it has joined.
struct Guest {
  int fd = -1;
  std::string in;
  Clock::time_point hello_deadline;
  std::optional<std::size_t> fighter;  // Which of the two, once joined.
};

struct Fighter {
  std::string player_id;
  std::string name;
  int hit_points = duel::hit_points_at_start;
  bool here = false;
  bool gone = false;
  std::optional<duel::Move> move;
};

class DuelServer {
 public:
  DuelServer(muster::gs::Server muster, int listener)
      : muster_(std::move(muster)), listener_(listener) {}

  /// Returns if Muster does not want this server any more.
  void run() {
    for (;;) {
      wait();
      if (!hear_muster()) return;
      accept_guests();
      for (std::size_t i = 0; i < guests_.size(); ++i) hear(guests_[i]);
      drop_closed();
      check_deadlines();
      settle();
    }
  }

 private:
  // ---- The loop: one poll() over everything.

  void wait() {
    std::vector<pollfd> fds{{listener_, POLLIN, 0}};
    fds.push_back({static_cast<int>(muster_.socket()), POLLIN, 0});
    for (const Guest& guest : guests_) fds.push_back({guest.fd, POLLIN, 0});
    // The game's deadlines are seconds, so looking at them ten times a second is enough.
    auto timeout = 100ms;
    if (const auto due = muster_.poll_within(); due >= 0ms) timeout = std::min(timeout, due);
    ::poll(fds.data(), fds.size(), static_cast<int>(timeout.count()));
  }

  bool hear_muster() {
    for (;;) {
      const auto event = muster_.poll(0ms);
      if (!event) return false;
      switch (event->type) {
        case muster::gs::EventType::none:
          return true;
        case muster::gs::EventType::match_started:
          start();
          break;
        case muster::gs::EventType::player_removed:
          for (Fighter& fighter : fighters_)
            if (fighter.player_id == event->player_id) fighter.gone = true;
          break;
        case muster::gs::EventType::match_ended:
          std::printf("match %s was ended: %s\n", event->match_id.c_str(), event->reason.c_str());
          end("end stopped");
          muster_.ready(0ms);  // Said by the loop's next poll(), if not at once.
          break;
      }
    }
  }

  void accept_guests() {
    for (;;) {
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) return;
      if (guests_.size() == connections_max) {
        ::close(fd);
        continue;
      }
      fcntl(fd, F_SETFL, O_NONBLOCK);
      fcntl(fd, F_SETFD, FD_CLOEXEC);
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      guests_.push_back({fd, {}, Clock::now() + hello_time, std::nullopt});
    }
  }

  void hear(Guest& guest) {
    char bytes[1024];
    for (;;) {
      const ssize_t count = ::recv(guest.fd, bytes, sizeof bytes, 0);
      if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (count <= 0) return leave(guest);
      guest.in.append(bytes, static_cast<std::size_t>(count));
      for (std::size_t end; (end = guest.in.find('\n')) != std::string::npos;) {
        std::string line = guest.in.substr(0, end);
        guest.in.erase(0, end + 1);
        if (!line.empty() && line.back() == '\r') line.pop_back();
        obey(guest, line);
        if (guest.fd < 0) return;
      }
      if (guest.in.size() > line_bytes_max) return turn_away(guest, "error line too long");
    }
  }

  void obey(Guest& guest, const std::string& line) {
    if (!guest.fighter) {
      if (line.rfind("join ", 0) == 0) return join(guest, line.substr(5));
      return turn_away(guest, "error say: join TOKEN");
    }
    Fighter& fighter = fighters_[*guest.fighter];
    const auto move = duel::move_from(line);
    if (!move) return tell(guest, "error say: attack, guard or feint");
    if (round_ == 0 || fighter.move) return tell(guest, "error wait for the next round");
    fighter.move = move;
  }

  void join(Guest& guest, const std::string& token) {
    muster::gs::Status why;
    const auto player = muster_.verify_join(token, node_time, &why);
    if (!player) return turn_away(guest, std::string("error ") + muster::gs::to_string(why));
    // The word that the match has started may be right behind the player.
    if (match_id_ != player->match_id && !hear_muster()) return;
    for (std::size_t i = 0; i < fighters_.size() && match_id_ == player->match_id; ++i) {
      if (fighters_[i].player_id != player->player_id || fighters_[i].here) continue;
      guest.fighter = i;
      fighters_[i].here = true;
      muster_.player_joined(player->player_id);
      return tell(guest, "hello " + fighters_[i].name + ", you fight " + fighters_[1 - i].name);
    }
    turn_away(guest, "error you are not expected, or here already");
  }

  // ---- The game.

  void start() {
    const auto match = muster_.current_match();
    if (!match) return;
    match_id_ = match->match_id;
    fighters_ = {};
    round_ = 0;
    if (match->players.size() != 2) {
      // The queue is not this game's: say so where the operator will see it.
      std::printf("match %s has %zu players, a duel has two\n", match_id_.c_str(),
                  match->players.size());
      return report("{\"error\":\"a duel has two players\"}");
    }
    for (std::size_t i = 0; i < 2; ++i) {
      fighters_[i].player_id = match->players[i].player_id;
      fighters_[i].name = match->players[i].name;
    }
    deadline_ = Clock::now() + join_time;
    std::printf("match %s: %s against %s\n", match_id_.c_str(), fighters_[0].name.c_str(),
                fighters_[1].name.c_str());
  }

  void check_deadlines() {
    const auto now = Clock::now();
    for (Guest& guest : guests_)
      if (!guest.fighter && now > guest.hello_deadline) turn_away(guest, "error too late");
    drop_closed();
    if (match_id_.empty() || now < deadline_) return;
    for (Fighter& fighter : fighters_)
      if (round_ == 0 ? !fighter.here : !fighter.move) fighter.gone = true;
  }

  /// Moves the game on as far as it goes: to the next round, or to its end.
  void settle() {
    if (match_id_.empty()) return;
    auto& [a, b] = fighters_;
    if (a.gone || b.gone) return finish();
    if (round_ == 0) {
      if (a.here && b.here) next_round();
      return;
    }
    if (!a.move || !b.move) return;
    a.hit_points -= duel::damage(*a.move, *b.move);
    b.hit_points -= duel::damage(*b.move, *a.move);
    tell_each([&](std::size_t i) {
      return "moves " + std::string(duel::to_string(*fighters_[i].move)) + ' ' +
             std::string(duel::to_string(*fighters_[1 - i].move));
    });
    if (a.hit_points <= 0 || b.hit_points <= 0 || round_ == duel::rounds_max) return finish();
    next_round();
  }

  void next_round() {
    ++round_;
    deadline_ = Clock::now() + move_time;
    for (Fighter& fighter : fighters_) fighter.move.reset();
    tell_each([&](std::size_t i) {
      return "round " + std::to_string(round_) + " you " + std::to_string(fighters_[i].hit_points) +
             " they " + std::to_string(fighters_[1 - i].hit_points);
    });
  }

  void finish() {
    const auto& [a, b] = fighters_;
    std::optional<std::size_t> winner;
    if (a.gone != b.gone)
      winner = a.gone ? 1 : 0;
    else if (!a.gone && a.hit_points != b.hit_points)
      winner = a.hit_points > b.hit_points ? 0 : 1;
    tell_each([&](std::size_t i) {
      return std::string(!winner ? "end draw" : *winner == i ? "end won" : "end lost");
    });
    const std::string name = winner ? quoted(fighters_[*winner].name) : "null";
    std::printf("match %s: winner %s after %d rounds\n", match_id_.c_str(), name.c_str(), round_);
    std::vector<muster::gs::Standing> standings(2);
    for (std::size_t i = 0; i < 2; ++i) {
      standings[i].player_id = fighters_[i].player_id;
      standings[i].rank = !winner || *winner == i ? 1 : 2;
    }
    report("{\"winner\":" + name + ",\"rounds\":" + std::to_string(round_) + "}", standings);
  }

  /// Hands the result in. Afterwards this server is ready for the next match. In a queue that is
  /// rated, the standings change ratings.
  void report(const std::string& result, const std::vector<muster::gs::Standing>& standings = {}) {
    muster::gs::Status status;
    while ((status = muster_.match_over(result, standings, node_time)) == MUSTER_GS_ERR_TIMEOUT)
      std::printf("the result waits for the node: %s\n", muster_.error_text().c_str());
    if (status != MUSTER_GS_OK)
      std::printf("the result was not taken: %s\n", muster::gs::to_string(status));
    end("");
  }

  void end(const std::string& last_word) {
    match_id_.clear();  // First: who goes now has not left the match, it is over.
    round_ = 0;
    for (Guest& guest : guests_)
      if (guest.fighter) turn_away(guest, last_word);
  }

  // ---- Talking.

  void tell(Guest& guest, const std::string& line) {
    const std::string bytes = line + '\n';
    // A few short lines always fit, unless the other side does not read: then it has left.
    if (::send(guest.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(bytes.size()))
      leave(guest);
  }

  template <class LineOf>
  void tell_each(LineOf line_of) {
    for (Guest& guest : guests_)
      if (guest.fd >= 0 && guest.fighter) tell(guest, line_of(*guest.fighter));
  }

  void turn_away(Guest& guest, const std::string& line) {
    if (guest.fd >= 0 && !line.empty()) tell(guest, line);
    leave(guest);
  }

  void leave(Guest& guest) {
    if (guest.fd < 0) return;
    ::close(guest.fd);
    guest.fd = -1;  // drop_closed() takes it away.
    if (!guest.fighter) return;
    fighters_[*guest.fighter].gone = true;
    if (!match_id_.empty()) muster_.player_left(fighters_[*guest.fighter].player_id);
  }

  void drop_closed() {
    guests_.erase(std::remove_if(guests_.begin(), guests_.end(),
                                 [](const Guest& guest) { return guest.fd < 0; }),
                  guests_.end());
  }

  static std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    return out + '"';
  }

  muster::gs::Server muster_;
  int listener_;
  std::vector<Guest> guests_;
  std::string match_id_;  // Empty between matches.
  std::array<Fighter, 2> fighters_;
  int round_ = 0;  // 0 until both are here.
  Clock::time_point deadline_;
};

int listen_on(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd, connections_max) != 0) {
    std::perror(("port " + std::to_string(port)).c_str());
    return -1;
  }
  return fd;
}

}  // namespace

int main(int argc, char** argv) {
  setvbuf(stdout, nullptr, _IOLBF, 0);  // Muster keeps this output as the server's log.
  const int port = argc > 1 ? std::atoi(argv[1]) : muster::gs::port();
  if (port <= 0 || port > 65535) {
    std::fprintf(stderr, "usage: duel_server PORT\n");
    return 2;
  }
  muster::gs::Status status;
  auto muster = muster::gs::Server::create(&status);
  if (!muster) {
    std::fprintf(stderr, "duel_server: %s\n", muster::gs::to_string(status));
    return 2;
  }
  const int listener = listen_on(port);
  if (listener < 0) return 1;
  if ((status = muster->ready(10s)) != MUSTER_GS_OK) {
    std::fprintf(stderr, "duel_server: not ready: %s (%s)\n", muster::gs::to_string(status),
                 muster->error_text().c_str());
    return 1;
  }
  std::printf("ready on port %d\n", port);
  DuelServer(std::move(*muster), listener).run();
}
