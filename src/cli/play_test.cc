// `muster play` against a lobby that this test plays, with real child processes.
#include "cli/play.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "cli/play_command.h"
#include "cli/play_report.h"
#include "proto/player.pb.h"
#include "wire/frame.h"

namespace muster::cli {
namespace {

namespace pb = wire::player;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

constexpr int patience_ms = 20'000;

/// One player's connection, seen from the lobby.
class Session {
 public:
  explicit Session(int fd) : fd_(fd) { EXPECT_EQ(bytes(4), "MUST"); }
  Session(const Session&) = delete;
  ~Session() { close(fd_); }

  pb::ClientMessage hear() {
    const std::string header = bytes(4);
    pb::ClientMessage m;
    if (header.size() != 4) return m;
    std::uint32_t size = 0;
    for (unsigned i = 0; i < 4; ++i)
      size |= static_cast<std::uint32_t>(static_cast<unsigned char>(header[i])) << 8 * i;
    EXPECT_TRUE(m.ParseFromString(bytes(size)));
    return m;
  }
  void say(const pb::LobbyMessage& m) {
    std::string frame;
    wire::append_frame(frame, m);
    EXPECT_EQ(send(fd_, frame.data(), frame.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(frame.size()));
  }
  bool closed() { return bytes(1).empty(); }
  /// Drops the connection and takes the next one.
  void reopen(const std::function<int()>& accept_player) {
    close(fd_);
    fd_ = accept_player();
    EXPECT_EQ(bytes(4), "MUST");
  }

  // ---- The usual.
  std::string welcome() {
    const auto hello = hear();
    pb::LobbyMessage m;
    m.set_request(hello.request());
    m.mutable_welcome()->set_player_id("1.1");
    m.mutable_welcome()->set_session_token("secret");
    say(m);
    return hello.hello().guest().name();
  }
  void ticket(std::uint32_t request, pb::Ticket::State state) {
    pb::LobbyMessage m;
    m.set_request(request);
    m.mutable_ticket()->set_queue("duel");
    m.mutable_ticket()->set_state(state);
    m.mutable_ticket()->set_players(1);
    m.mutable_ticket()->set_players_needed(2);
    say(m);
  }
  void queue() {
    const auto start = hear();
    EXPECT_EQ(start.start_match().queue(), "duel");
    ticket(start.request(), pb::Ticket::QUEUED);
  }
  void assign(const std::string& match_id = "9.1") {
    pb::LobbyMessage m;
    m.mutable_assignment()->set_match_id(match_id);
    m.mutable_assignment()->set_host("127.0.0.1");
    m.mutable_assignment()->set_port(7001);
    m.mutable_assignment()->set_join_token("a.b.c");
    m.mutable_assignment()->set_team(1);
    m.mutable_assignment()->add_players()->set_name("bob");
    say(m);
  }
  void end(pb::MatchEnded::Reason reason = pb::MatchEnded::OVER, bool requeued = false) {
    pb::LobbyMessage m;
    m.mutable_match_ended()->set_match_id("9.1");
    m.mutable_match_ended()->set_reason(reason);
    m.mutable_match_ended()->set_requeued(requeued);
    m.mutable_match_ended()->set_result("the result");
    say(m);
  }

 private:
  /// Fewer than `count` only if the player has closed.
  std::string bytes(std::size_t count) {
    std::string out;
    while (out.size() < count) {
      pollfd p{.fd = fd_, .events = POLLIN, .revents = 0};
      if (poll(&p, 1, patience_ms) <= 0) {
        ADD_FAILURE() << "the player says nothing";
        break;
      }
      char byte = 0;
      if (recv(fd_, &byte, 1, 0) <= 0) break;
      out += byte;
    }
    return out;
  }

  int fd_;
};

class PlayTest : public testing::Test {
 protected:
  PlayTest() {
    // For run_play to read, and in no other thread for the system to end us by.
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener_, 64), 0);
    socklen_t size = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    options_.lobby = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    options_.name = "ann";
    options_.queue = "duel";
  }
  ~PlayTest() override { close(listener_); }

  int accept_player() {
    pollfd p{.fd = listener_, .events = POLLIN, .revents = 0};
    EXPECT_EQ(poll(&p, 1, patience_ms), 1) << "nobody connects";
    return accept(listener_, nullptr, nullptr);
  }

  /// Plays, with the lobby's part in a thread; what was printed is in out_ and err_.
  int play(const std::function<void(Session&)>& lobby) {
    std::FILE* const out = std::tmpfile();
    std::FILE* const err = std::tmpfile();
    std::thread thread([&] {
      Session session(accept_player());
      lobby(session);
    });
    const int code = run_play(options_, out, err);
    thread.join();
    out_ = text_of(out);
    err_ = text_of(err);
    return code;
  }

  static std::string text_of(std::FILE* file) {
    std::string text;
    std::rewind(file);
    for (int c; (c = std::fgetc(file)) != EOF;) text += static_cast<char>(c);
    std::fclose(file);
    return text;
  }

  int listener_ = -1;
  PlayOptions options_;
  std::string out_, err_;
};

TEST_F(PlayTest, WaitsForTheEndOfTheMatch) {
  EXPECT_EQ(play([](Session& s) {
              EXPECT_EQ(s.welcome(), "ann");
              s.queue();
              s.assign();
              s.end();
              EXPECT_TRUE(s.closed());
            }),
            0);
  EXPECT_THAT(out_, HasSubstr("queued for duel, 1 of 2 here"));
  EXPECT_THAT(out_, HasSubstr("assigned 127.0.0.1:7001, team 1 of match 9.1, with bob"));
  EXPECT_THAT(out_, HasSubstr("match over: the result"));
  EXPECT_THAT(out_, HasSubstr(" ms  "));
}

TEST_F(PlayTest, OnceIsDoneWhenAssigned) {
  options_.once = options_.json = true;
  EXPECT_EQ(play([](Session& s) {
              s.welcome();
              s.queue();
              s.assign();
              EXPECT_TRUE(s.closed()) << "without leaving the match";
            }),
            0);
  EXPECT_THAT(out_, HasSubstr(R"("event":"assignment","matchId":"9.1")"));
  EXPECT_THAT(out_, HasSubstr(R"("joinToken":"a.b.c")"));
  EXPECT_THAT(out_, Not(HasSubstr("connecting")));
}

TEST_F(PlayTest, StartsTheGameAndPassesItsExitCodeOn) {
  // The shell is the game here, not what starts it: quotes and dollars arrive as they are.
  options_.command = {
      "/bin/sh", "-c",         "test \"$*\" = '127.0.0.1 7001 a.b.c 9.1 1.1 ann 1 $HOME' && exit 7",
      "game",    "{host}",     "{port}",
      "{token}", "{match_id}", "{player_id}",
      "{name}",  "{team}",     "$HOME"};
  EXPECT_EQ(play([](Session& s) {
              s.welcome();
              s.queue();
              s.assign();
              EXPECT_TRUE(s.hear().has_leave_match()) << "the game has ended, the match has not";
              s.end(pb::MatchEnded::LEFT);
            }),
            7);
}

TEST_F(PlayTest, TheEndBehindTheGamesIsWaitedFor) {
  options_.command = {"true"};
  EXPECT_EQ(play([](Session& s) {
              s.welcome();
              s.queue();
              s.assign();
              s.end();
              EXPECT_TRUE(s.closed());
            }),
            0);
  EXPECT_THAT(out_, HasSubstr("the result"));
}

TEST_F(PlayTest, ALostServerMeansAnotherGame) {
  options_.command = {"/bin/sh", "-c", "test $0 = 9.2 || exec sleep 1000", "{match_id}"};
  EXPECT_EQ(play([](Session& s) {
              s.welcome();
              s.queue();
              s.assign("9.1");
              s.end(pb::MatchEnded::SERVER_LOST, true);
              s.ticket(0, pb::Ticket::QUEUED);
              s.assign("9.2");
              EXPECT_TRUE(s.hear().has_leave_match());
              s.end(pb::MatchEnded::LEFT);
            }),
            0);
  EXPECT_THAT(out_, HasSubstr("the game server was lost; queued again"));
}

TEST_F(PlayTest, AGameThatCannotBeStartedIsSaid) {
  for (const char* program : {"/no/such/game", "{hots}"}) {
    options_.command = {program};
    EXPECT_EQ(play([](Session& s) {
                s.welcome();
                s.queue();
                s.assign();
                EXPECT_TRUE(s.closed());
              }),
              1);
    EXPECT_THAT(err_, HasSubstr(program));
  }
}

TEST_F(PlayTest, RefusalsAndFailuresAreItsExitCode) {
  EXPECT_EQ(play([](Session& s) {
              s.welcome();
              pb::LobbyMessage m;
              m.set_request(s.hear().request());
              m.mutable_error()->set_code("queue_not_found");
              m.mutable_error()->set_message("There is no such queue.");
              s.say(m);
            }),
            1);
  EXPECT_THAT(out_, HasSubstr("refused: There is no such queue. (queue_not_found)"));
  EXPECT_EQ(play([](Session& s) {
              s.welcome();
              s.queue();
              s.ticket(0, pb::Ticket::FAILED);
            }),
            1);
}

TEST_F(PlayTest, ATimeoutTakesTheTicketBack) {
  options_.timeout = 500ms;
  EXPECT_EQ(play([](Session& s) {
              s.welcome();
              s.queue();
              EXPECT_TRUE(s.hear().has_cancel_match());
            }),
            1);
  EXPECT_THAT(err_, HasSubstr("not assigned within 0.5 s"));
}

TEST_F(PlayTest, CtrlCTakesTheTicketBack) {
  EXPECT_EQ(play([](Session& s) {
              s.welcome();
              s.queue();
              kill(getpid(), SIGINT);  // Blocked in every thread: run_play reads it.
              const auto cancel = s.hear();
              EXPECT_TRUE(cancel.has_cancel_match());
              s.ticket(cancel.request(), pb::Ticket::CANCELLED);
            }),
            130);
}

TEST_F(PlayTest, CtrlCLeavesTheMatch) {
  // The game says that it runs by opening a pipe; Ctrl-C comes then.
  char folder[] = "/tmp/muster_play_XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string pipe = std::string(folder) + "/running";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  options_.command = {"/bin/sh", "-c", ": > $0; exec sleep 1000", pipe};
  EXPECT_EQ(play([&](Session& s) {
              s.welcome();
              s.queue();
              s.assign();
              close(open(pipe.c_str(), O_RDONLY));  // Waits for the game.
              kill(getpid(), SIGINT);
              EXPECT_TRUE(s.hear().has_leave_match());
              s.end(pb::MatchEnded::LEFT);
            }),
            130);
  std::filesystem::remove_all(folder);
}

TEST_F(PlayTest, ALostConnectionIsResumed) {
  EXPECT_EQ(play([this](Session& s) {
              s.welcome();
              EXPECT_TRUE(s.hear().has_start_match());
              s.reopen([this] { return accept_player(); });
              const auto hello = s.hear();
              EXPECT_EQ(hello.hello().resume().session_token(), "secret");
              pb::LobbyMessage m;
              m.set_request(hello.request());
              m.mutable_welcome()->set_player_id("1.1");
              m.mutable_welcome()->set_resumed(true);
              s.say(m);
              s.queue();  // Match Start was not answered, so it is pressed again.
              s.assign();
              s.end();
            }),
            0);
}

TEST_F(PlayTest, ManyPlayersHaveASummary) {
  options_.count = 30;
  std::FILE* const out = std::tmpfile();
  std::FILE* const err = std::tmpfile();
  std::thread lobby([&] {
    for (std::uint32_t i = 0; i < options_.count; ++i) {
      Session s(accept_player());
      EXPECT_THAT(s.welcome(), HasSubstr("ann-"));
      s.queue();
      s.assign();
      s.end();
      EXPECT_TRUE(s.closed());
    }
  });
  EXPECT_EQ(run_play(options_, out, err), 0);
  lobby.join();
  EXPECT_THAT(text_of(out), HasSubstr("30 of 30 players assigned"));
  text_of(err);
}

TEST(Play, AnAddressIsHostAndPort) {
  for (const char* lobby : {"", "127.0.0.1", ":4100", "127.0.0.1:0", "127.0.0.1:70000", "h:4x"}) {
    std::FILE* const out = std::tmpfile();
    PlayOptions options;
    options.lobby = lobby;
    options.name = "ann";
    options.queue = "duel";
    EXPECT_EQ(run_play(options, out, out), 1) << lobby;
    std::fclose(out);
  }
}

TEST(Expand, Table) {
  client::Assignment a;
  a.host = "h{port}";  // What was filled in is not looked at again.
  a.port = 7001;
  a.join_token = "t";
  a.ports["query2"] = 27015;
  struct Row {
    const char* text;
    const char* want;  // NULL: an error.
  };
  const Row rows[] = {
      {"plain", "plain"},
      {"{host}:{port}", "h{port}:7001"},
      {"--token={token}", "--token=t"},
      {"{{port}", "{port}"},
      {"{\"json\": {}}", "{\"json\": {}}"},
      {"{", "{"},
      {"{unfinished", "{unfinished"},
      {"{PORT}", "{PORT}"},
      {"{port.query2}", "27015"},
      {"{port.rcon}", nullptr},
      {"{prot}", nullptr},
  };
  for (const Row& row : rows) {
    const auto got = expand(row.text, a, "1.1", "ann");
    EXPECT_EQ(got.has_value(), row.want != nullptr) << row.text;
    if (got && row.want) {
      EXPECT_EQ(*got, row.want);
    }
  }
}

}  // namespace
}  // namespace muster::cli
