// Game servers without an SDK: what the node sees of them.
#include <sys/socket.h>

#include "node/limits.h"
#include "node/node_harness.h"

namespace muster::node::test {
namespace {

using testing::HasSubstr;
using wire::node::LaunchFailed;
using wire::node::Ready;

/// A launch of `python3 -c script`, without an SDK.
wire::node::Launch python(const std::string& server_id, const std::string& script) {
  auto launch = shell(server_id, "");
  launch.clear_command();
  for (const std::string& argument : {std::string("python3"), std::string("-uc"), script})
    launch.add_command(argument);
  launch.set_sdk(wire::node::SDK_NONE);
  launch.mutable_ready()->set_launch_timeout_ms(20'000);
  return launch;
}
wire::node::Launch plain_shell(const std::string& server_id, const std::string& script) {
  auto launch = shell(server_id, script);
  launch.set_sdk(wire::node::SDK_NONE);
  launch.mutable_ready()->set_launch_timeout_ms(20'000);
  return launch;
}

const std::string listen_on_port =
    "import socket,time\n"
    "s=socket.socket()\n"
    "s.bind((ADDRESS,PORT))\n"
    "s.listen()\n"
    "time.sleep(1000)\n";
/// Answers every datagram with its own text and `answer`.
const std::string answer_on_port =
    "import socket\n"
    "s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
    "s.bind(('0.0.0.0',PORT))\n"
    "while True:\n"
    "  d,a=s.recvfrom(2048)\n"
    "  s.sendto(ANSWER,a)\n";

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  text.replace(text.find(what), what.size(), with);
  return text;
}

class PlainServerTest : public NodeTest {
 protected:
  /// The lobby's message and what a server prints come by different ways: returns once the node has
  /// taken the message.
  void start_match_now(const std::string& match_id) {
    lobby_.start_match("0.1", match_id, {"1.1"});
    ToNode question;
    question.mutable_verify_owner()->set_query(1);
    lobby_.send(question);
    next(FromNode::kOwnerVerified);
  }
  /// The next message, which must be of that kind.
  FromNode next(FromNode::BodyCase kind) {
    auto message = lobby_.next();
    if (!message || message->body_case() != kind) {
      ADD_FAILURE() << "not that: " << (message ? message->ShortDebugString() : "closed");
      return {};
    }
    return *message;
  }
};

TEST_F(PlainServerTest, ReadyWhenItListens) {
  struct Row {
    const char* name;
    const char* address;
    bool child;
  };
  const Row rows[] = {{"on every address", "'0.0.0.0'", false},
                      {"on loopback", "'127.0.0.1'", false},
                      {"on another address of this machine", "'127.0.0.2'", false},
                      {"in a child of it", "'0.0.0.0'", true}};
  int id = 0;
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const std::string script =
        replaced(replaced(listen_on_port, "ADDRESS", row.address), "PORT", "{port}");
    auto launch = python("0." + std::to_string(++id), script);
    if (row.child) {
      launch.clear_command();
      for (const std::string& word :
           {std::string("sh"), std::string("-c"), "python3 -c \"" + script + "\" & wait"})
        launch.add_command(word);
    }
    launch.mutable_ready()->set_kind(Ready::TCP);
    EXPECT_GT(lobby_.launch(launch), 0);
    EXPECT_EQ(next(FromNode::kReady).ready().server_id(), launch.server_id());
  }
}

TEST_F(PlainServerTest, OneThatListensElsewhereIsNotReadyAndThatIsSaid) {
  const std::uint16_t other = free_port();
  auto launch = python("0.1", replaced(replaced(listen_on_port, "ADDRESS", "'0.0.0.0'"), "PORT",
                                       std::to_string(other)));
  launch.mutable_ready()->set_kind(Ready::TCP);
  launch.mutable_ready()->set_launch_timeout_ms(4'000);
  EXPECT_GT(lobby_.launch(launch), 0);
  std::string note;
  for (int notes = 0; notes < 20 && note.find("not on") == std::string::npos; ++notes)
    note = next(FromNode::kNoted).noted().note();
  EXPECT_EQ(note, "it listens on TCP " + std::to_string(other) + ", not on TCP " +
                      std::to_string(launch.port()));
}

TEST_F(PlainServerTest, AStrangersSocketIsNotItsOwn) {
  auto launch = plain_shell("0.1", "exec sleep 1000");
  launch.set_protocol(wire::node::PROTOCOL_UDP);  // So that the launch does not notice.
  UniqueFd stranger(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(launch.port()));
  ASSERT_EQ(::bind(stranger.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(stranger.get(), 1), 0);
  launch.mutable_ready()->set_kind(Ready::TCP);
  launch.mutable_ready()->set_launch_timeout_ms(400);
  EXPECT_GT(lobby_.launch(launch), 0);
  EXPECT_THAT(next(FromNode::kNoted).noted().note(), HasSubstr("is another process's"));
}

TEST_F(PlainServerTest, ReadyWhenItHasBoundUdpOrAnswersThere) {
  auto bound =
      python("0.1", replaced(replaced(answer_on_port, "PORT", "{port.query}"), "ANSWER", "b''"));
  auto& query = *bound.add_ports();
  query.set_name("query");
  query.set_port(free_port());
  bound.mutable_ready()->set_kind(Ready::UDP);
  bound.mutable_ready()->set_port("query");
  EXPECT_GT(lobby_.launch(bound), 0);
  next(FromNode::kReady);

  auto answering = python(
      "0.2", replaced(replaced(answer_on_port, "PORT", "{port}"), "ANSWER", "b'\\xff\\xffok '+d"));
  answering.mutable_ready()->set_kind(Ready::UDP);
  auto& question = *answering.mutable_ready()->mutable_query();
  question.set_send(std::string("a\0{port}", 8));
  question.set_placeholders(true);
  question.set_expect("(?s)^\\xff\\xffok a\\x00" + std::to_string(answering.port()) + "$");
  EXPECT_GT(lobby_.launch(answering), 0);
  next(FromNode::kReady);

  auto other = answering;
  other.set_server_id("0.3");
  other.set_port(free_port());
  other.mutable_ready()->set_launch_timeout_ms(4'000);
  other.mutable_ready()->mutable_query()->set_expect("^no");
  EXPECT_GT(lobby_.launch(other), 0);
  std::string note;
  for (int notes = 0; notes < 20 && note.find("does not expect") == std::string::npos; ++notes)
    note = next(FromNode::kNoted).noted().note();
  EXPECT_THAT(note, HasSubstr("it answers \"??ok a?"));
}

TEST_F(PlainServerTest, ReadyWhenItSaysSoOrAfterATime) {
  // A line without end, and then one of a megabyte, are not in the way; twice is once.
  auto launch =
      plain_shell("0.1",
                  "head -c 1000000 /dev/zero | tr '\\0' x; echo; echo \"ready at $PORT\"; "
                  "echo ready at $PORT; exec sleep 1000");
  launch.mutable_ready()->set_kind(Ready::LOG);
  launch.mutable_ready()->set_log("^ready at \\d+$");
  EXPECT_GT(lobby_.launch(launch), 0);
  EXPECT_EQ(next(FromNode::kReady).ready().server_id(), "0.1");

  launch = plain_shell("0.2", "exec sleep 1000");
  launch.mutable_ready()->set_kind(Ready::DELAY);
  launch.mutable_ready()->set_delay_ms(1);
  EXPECT_GT(lobby_.launch(launch), 0);
  EXPECT_EQ(next(FromNode::kReady).ready().server_id(), "0.2") << "and 0.1 not again";

  launch = plain_shell("0.3", "echo loading; exec sleep 1000");
  launch.mutable_ready()->set_kind(Ready::LOG);
  launch.mutable_ready()->set_log("never");
  launch.mutable_ready()->set_launch_timeout_ms(1000);
  EXPECT_GT(lobby_.launch(launch), 0);
  std::string note;
  for (int notes = 0; notes < 20 && note.find("loading") == std::string::npos; ++notes)
    note = next(FromNode::kNoted).noted().note();
  EXPECT_EQ(note, "no line of its output has ready.log in it; the last is \"loading\"");
}

TEST_F(PlainServerTest, AMatchEndsByALine) {
  const std::string go = data_ / "go";
  auto launch = plain_shell("0.1", "mkfifo " + go + "; exec 3<>" + go +
                                       "; echo over: too early; echo up; while read line <&3; "
                                       "do echo \"$line\"; done");
  launch.mutable_ready()->set_kind(Ready::LOG);
  launch.mutable_ready()->set_log("^up$");
  launch.mutable_end()->set_log("over: (?P<result>.*)$");
  launch.mutable_end()->set_joined("^(\\w+) joined");
  launch.mutable_end()->set_left("^(\\w+) left");
  EXPECT_GT(lobby_.launch(launch), 0);
  next(FromNode::kReady);
  const auto print = [&](const std::string& line) { std::ofstream(go) << line << std::endl; };

  print("ann joined");
  EXPECT_EQ(next(FromNode::kPlayersCounted).players_counted().players(), 1u);
  start_match_now("5.1");
  print("bob joined");
  EXPECT_EQ(next(FromNode::kPlayersCounted).players_counted().players(), 2u);
  print("over: ann \xff wins");
  auto over = next(FromNode::kMatchOver).match_over();
  EXPECT_EQ(over.match_id(), "5.1");
  EXPECT_EQ(over.result(), "ann ? wins");
  print("ann left");
  EXPECT_EQ(next(FromNode::kPlayersCounted).players_counted().players(), 1u);

  print("over: nobody plays");
  print("bob left");  // Nothing came of the line before.
  EXPECT_EQ(next(FromNode::kPlayersCounted).players_counted().players(), 0u);
  start_match_now("6.1");
  print("over: again");
  over = next(FromNode::kMatchOver).match_over();
  EXPECT_EQ(over.match_id(), "6.1");

  // Another lobby finds it Ready.
  lobby_ = TestLobby::connect(data_.path());
  const auto hello = lobby_.hello();
  ASSERT_EQ(hello.servers_size(), 1);
  EXPECT_TRUE(hello.servers(0).ready());
  EXPECT_TRUE(hello.servers(0).match_id().empty());
}

TEST_F(PlainServerTest, PlayersAreAskedForWhileThereIsAMatch) {
  const std::string file = data_ / "players";
  std::ofstream(file) << "2";
  auto launch = python("0.1", replaced(replaced(answer_on_port, "PORT", "{port}"), "ANSWER",
                                       "b'n='+open('" + file + "','rb').read()"));
  launch.mutable_ready()->set_kind(Ready::UDP);
  launch.mutable_end()->mutable_players()->set_send("n?");
  launch.mutable_end()->mutable_players()->set_expect("n=(\\d+)");
  launch.mutable_end()->set_players_interval_ms(100);
  EXPECT_GT(lobby_.launch(launch), 0);
  next(FromNode::kReady);
  lobby_.start_match("0.1", "5.1", {"1.1"});
  EXPECT_EQ(next(FromNode::kPlayersCounted).players_counted().players(), 2u);
  std::ofstream(file + ".new") << "1";
  std::filesystem::rename(file + ".new", file);
  EXPECT_EQ(next(FromNode::kPlayersCounted).players_counted().players(), 1u);
  ToNode end;
  end.mutable_end_match()->set_server_id("0.1");
  end.mutable_end_match()->set_match_id("5.1");
  lobby_.send(end);
  EXPECT_EQ(next(FromNode::kPlayersCounted).players_counted().players(), 0u) << "nobody is asked";
}

TEST_F(PlainServerTest, OneThatHangsIsFoundOut) {
  auto launch = python("0.1", replaced(replaced(answer_on_port, "PORT", "{port}"), "ANSWER", "d"));
  launch.mutable_ready()->set_kind(Ready::UDP);
  launch.mutable_ready()->mutable_query()->set_send("ping");
  launch.mutable_ready()->set_repeat_ms(500);
  launch.mutable_ready()->set_failures_max(2);
  const pid_t pid = lobby_.launch(launch);
  ASSERT_GT(pid, 0);
  next(FromNode::kReady);
  ::kill(pid, SIGSTOP);
  EXPECT_EQ(next(FromNode::kUnhealthy).unhealthy().detail(),
            "it has not answered ready.udp 2 times in a row");
}

TEST_F(PlainServerTest, OneThatEndsBeforeItIsReady) {
  auto launch = plain_shell("0.1", "setsid sleep 1000 & echo gone into the background");
  launch.mutable_ready()->set_kind(Ready::TCP);
  EXPECT_GT(lobby_.launch(launch), 0);
  EXPECT_EQ(lobby_.next_exit().detail(), "gone into the background");
}

TEST_F(PlainServerTest, ItsFilesAreItsUsers) {
  if (::geteuid() != 0 || !find_account("nobody")) GTEST_SKIP() << "needs root, and a user nobody";
  auto launch = plain_shell("0.1",
                            "cd {server_dir} && cat sub/server.cfg && echo more >> sub/server.cfg "
                            "&& touch own && echo written");
  auto* file = launch.add_files();
  file->set_path("sub/server.cfg");
  file->set_text("text\n");
  file->set_mode(0600);
  launch.mutable_limits()->set_user("nobody");
  launch.set_working_directory("/");
  EXPECT_GT(lobby_.launch(launch), 0);
  EXPECT_EQ(lobby_.next_exit().detail(), "written");
  EXPECT_FALSE(std::filesystem::exists(data_ / "servers/0.1"));
}

TEST_F(PlainServerTest, ItsFilesAreWrittenAndRemoved) {
  auto launch = plain_shell("0.1",
                            "cd {server_dir} && cat server.cfg sub/deep.cfg && stat -c %a . "
                            "server.cfg sub/deep.cfg && echo mine > own && exec sleep 1000");
  auto& query = *launch.add_ports();
  query.set_name("query");
  query.set_port(free_port());
  auto* file = launch.add_files();
  file->set_path("server.cfg");
  file->set_text("port {port}\nquery {port.query}\nhome {server_dir}\n");
  file->set_mode(0600);
  file = launch.add_files();
  file->set_path("sub/deep.cfg");
  file->set_text("{{deep}\n");
  file->set_mode(0444);
  launch.mutable_ready()->set_kind(Ready::LOG);
  launch.mutable_ready()->set_log("^444$");
  EXPECT_GT(lobby_.launch(launch), 0);
  next(FromNode::kReady);
  const std::string folder = data_ / "servers/0.1";
  EXPECT_TRUE(eventually([&] { return std::filesystem::exists(folder + "/own"); }));
  std::string output;
  for (const auto& entry : std::filesystem::directory_iterator(data_ / "logs/duel"))
    output = read_file(entry.path());
  EXPECT_EQ(output, "port " + std::to_string(launch.port()) + "\nquery " +
                        std::to_string(query.port()) + "\nhome " +
                        std::filesystem::canonical(folder).string() + "\n{deep}\n700\n600\n444\n");
  lobby_.stop("0.1", milliseconds{0});
  lobby_.next_exit();
  EXPECT_FALSE(std::filesystem::exists(folder));

  for (const char* path : {"../out", "/tmp/out", "a/../../out", "", "sub/", "."}) {
    SCOPED_TRACE(path);
    auto escaping = plain_shell("0.2", "exec sleep 1000");
    escaping.mutable_ready()->set_kind(Ready::DELAY);
    escaping.add_files()->set_path(path);
    LaunchFailed failure;
    EXPECT_EQ(lobby_.launch(escaping, &failure), 0);
    EXPECT_THAT(failure.detail(), HasSubstr("would not be within its folder"));
    EXPECT_FALSE(std::filesystem::exists(data_ / "servers/0.2"));
  }
}

TEST_F(PlainServerTest, ANamedPortThatIsTakenIsNamed) {
  auto launch = plain_shell("0.1", "exec sleep 1000");
  launch.mutable_ready()->set_kind(Ready::DELAY);
  auto& query = *launch.add_ports();
  query.set_name("query");
  query.set_port(free_port());
  UniqueFd taken(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(query.port()));
  ASSERT_EQ(::bind(taken.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  LaunchFailed failure;
  EXPECT_EQ(lobby_.launch(launch, &failure), 0);
  EXPECT_EQ(failure.reason(), LaunchFailed::PORT_TAKEN);
  EXPECT_EQ(failure.port(), query.port());
  launch.mutable_ports(0)->set_protocol(wire::node::PROTOCOL_TCP);
  EXPECT_GT(lobby_.launch(launch), 0) << "nobody asked for UDP";
}

}  // namespace
}  // namespace muster::node::test
