#include "net/node_link.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <utility>

#include "proto/node.pb.h"

namespace muster::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using wire::node::FromNode;
using wire::node::ToNode;

std::string framed(const google::protobuf::MessageLite& message) {
  std::string bytes;
  wire::append_frame(bytes, message);
  return bytes;
}

FromNode hello_of(const std::string& name) {
  FromNode message;
  message.mutable_hello()->set_protocol(1);
  message.mutable_hello()->set_name(name);
  return message;
}

/// The node's end of a link, played by the test.
class TestNode {
 public:
  explicit TestNode(int fd) : fd_(fd) {}
  TestNode(TestNode&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  TestNode& operator=(TestNode&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~TestNode() {
    if (fd_ >= 0) ::close(fd_);
  }
  void send(const google::protobuf::MessageLite& message) { send_bytes(framed(message)); }
  void send_bytes(const std::string& bytes) {
    ASSERT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  std::optional<ToNode> poll_message() {
    std::uint8_t buffer[65536];
    const ssize_t n = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n == 0) closed_ = true;
    if (n > 0)
      frames_.feed({buffer, static_cast<std::size_t>(n)}, [&](wire::Bytes frame) {
        messages_.emplace_back();
        return messages_.back().ParseFromArray(frame.data(), static_cast<int>(frame.size()));
      });
    if (messages_.empty()) return std::nullopt;
    ToNode message = messages_.front();
    messages_.pop_front();
    return message;
  }
  bool closed() {
    poll_message();
    return closed_;
  }

 private:
  int fd_;
  bool closed_ = false;
  wire::FrameReader frames_{1 << 20};
  std::deque<ToNode> messages_;
};

class NodeLinkTest : public testing::Test {
 protected:
  NodeLinkTest() {
    char name[] = "/tmp/muster-link-XXXXXX";
    EXPECT_NE(::mkdtemp(name), nullptr);
    data_ = name;
    options_.data = data_;
    options_.program = data_ + "/no-node";
    options_.host = "127.0.0.1";
    options_.join_public_key.fill('k');
    options_.retry_first = milliseconds{5};
    options_.retry_last = milliseconds{20};
  }
  ~NodeLinkTest() override {
    link_.reset();
    if (listener_ >= 0) ::close(listener_);
    std::filesystem::remove_all(data_);
  }

  void start() {
    link_ = std::make_unique<NodeLink>(
        io_, options_, [this](core::Event&& event) { events_.push_back(std::move(event)); },
        [this](core::SessionId session) -> std::optional<SessionEnds> {
          if (session == gone_) return std::nullopt;
          return SessionEnds{"127.0.0.1", 40112, "127.0.0.2", 4100};
        },
        [this] { return heard_; });
    link_->start();
  }
  /// Runs the link until that holds.
  bool run_until(const std::function<bool()>& holds) {
    const auto deadline = steady_clock::now() + seconds{20};
    while (!holds()) {
      if (steady_clock::now() > deadline) return false;
      io_.restart();
      io_.run_for(milliseconds{2});
    }
    return true;
  }
  /// Runs it for so long; whether an event came.
  bool an_event_within(milliseconds time) {
    const auto until = steady_clock::now() + time;
    return run_until([&] { return !events_.empty() || steady_clock::now() > until; }) &&
           !events_.empty();
  }
  template <class Event>
  Event next() {
    EXPECT_TRUE(run_until([&] { return !events_.empty(); })) << "no event came";
    if (events_.empty()) return {};
    const core::Event event = std::move(events_.front());
    events_.pop_front();
    EXPECT_TRUE(std::holds_alternative<Event>(event)) << core::name_of(event);
    return std::holds_alternative<Event>(event) ? std::get<Event>(event) : Event{};
  }
  ToNode next(TestNode& node) {
    std::optional<ToNode> message;
    EXPECT_TRUE(run_until([&] { return (message = node.poll_message()).has_value(); }));
    return message.value_or(ToNode());
  }

  void listen() {
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (data_ + "/node.sock").copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listener_, 8), 0);
  }
  TestNode accept() {
    int fd = -1;
    EXPECT_TRUE(run_until(
        [&] { return (fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0; }));
    return TestNode(fd);
  }
  /// A link to a node that has said hello.
  TestNode connected() {
    if (listener_ < 0) listen();
    if (!link_) start();
    TestNode node = accept();
    EXPECT_TRUE(next(node).has_hello());
    node.send(hello_of("here"));
    node_ = next<core::NodeConnected>().node;
    return node;
  }
  /// A program that plays the node on descriptor 3.
  void write_program(const std::string& script) {
    options_.program = data_ + "/program";
    std::ofstream(options_.program) << "#!/bin/sh\n" << script;
    ::chmod(options_.program.c_str(), 0755);
  }
  std::string file(const std::string& name) {
    std::ifstream in(data_ + '/' + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::string data_;
  NodeLinkOptions options_;
  boost::asio::io_context io_{1};
  std::unique_ptr<NodeLink> link_;
  std::deque<core::Event> events_;
  core::SessionId gone_{99, 1};
  std::vector<HeardReports> heard_;  // By the lobby whose core this is.
  core::NodeId node_;
  int listener_ = -1;
};

TEST_F(NodeLinkTest, TellsWhichFleetsWantAForkParent) {
  core::Config config;
  config.fleets.resize(2);
  config.fleets[0].name = "duel";
  config.fleets[1].name = "walk";
  config.fleets[1].command = {"y"};
  config.fleets[1].fork = true;
  listen();
  start();
  link_->prepare_forks(config);
  TestNode node = accept();
  next(node);
  node.send(hello_of("here"));
  const wire::node::PrepareForks prepare = next(node).prepare_forks();
  ASSERT_EQ(prepare.parents_size(), 1);
  EXPECT_EQ(prepare.parents(0).fleet(), "walk");
  EXPECT_EQ(prepare.parents(0).command(0), "y");
  EXPECT_EQ(prepare.parents(0).version(), core::launch_version(config.fleets[1]));

  config.fleets[1].fork = false;
  link_->prepare_forks(config);
  const ToNode none = next(node);
  EXPECT_TRUE(none.has_prepare_forks()) << "said also when there is none, so that old ones go";
  EXPECT_EQ(none.prepare_forks().parents_size(), 0);
}

TEST_F(NodeLinkTest, FindsANodeThatIsThere) {
  listen();
  start();
  TestNode node = accept();
  const ToNode hello = next(node);
  EXPECT_EQ(hello.hello().protocol(), 1u);
  EXPECT_EQ(hello.hello().join_public_key(), std::string(32, 'k'));
  EXPECT_FALSE(link_->connected());
  FromNode answer = hello_of("here");
  auto& server = *answer.mutable_hello()->add_servers();
  server.set_server_id("12.9");
  server.set_port(7001);
  node.send(answer);
  const auto connected = next<core::NodeConnected>();
  EXPECT_EQ(connected.name, "here");
  EXPECT_EQ(connected.host, "127.0.0.1") << "the lobby's, for the node was told none";
  ASSERT_EQ(connected.servers.size(), 1u);
  EXPECT_TRUE(link_->connected());
}

TEST_F(NodeLinkTest, StartsANodeWhereNoneIs) {
  FromNode hello = hello_of("started");
  hello.mutable_hello()->set_host("play.example");
  std::ofstream(data_ + "/hello", std::ios::binary) << framed(hello);
  write_program(R"(data="$3"
echo "$*" > "$data/arguments"
for fd in 0 1 2 3 4 5 6 7 8 9; do test -e /proc/$$/fd/$fd && echo $fd; done > "$data/fds"
cut -d' ' -f1,6 /proc/$$/stat > "$data/session"
# By the shell itself: it blocks signals while it starts another program.
while read -r name value; do
  case $name in SigBlk:|SigIgn:) echo "$name $value" ;; esac
done < /proc/$$/status > "$data/signals"
echo to the log >&2
cat "$data/hello" >&3
# The socket does not block: cat gives up when nothing has come yet.
until cat <&3 2>/dev/null >> "$data/received"; do sleep 0.01; done
)");
  ::signal(SIGUSR1, SIG_IGN);
  start();
  ::signal(SIGUSR1, SIG_DFL);
  const auto connected = next<core::NodeConnected>();
  EXPECT_EQ(connected.name, "started");
  EXPECT_EQ(connected.host, "play.example");
  EXPECT_EQ(file("arguments"), "node --data " + data_ + " --link-fd 3 --lock-fd 4\n");
  // The shell itself reads its script from one more, which it chooses above 9.
  EXPECT_EQ(file("fds"), "0\n1\n2\n3\n4\n");
  int pid = 0, session = 0;
  std::istringstream(file("session")) >> pid >> session;
  EXPECT_EQ(session, pid);
  EXPECT_NE(session, ::getsid(0));
  // 32 and 33 are the C library's own, which it leaves ignored.
  EXPECT_THAT(file("signals"), testing::MatchesRegex("SigBlk: 0+\nSigIgn: 0+1?8?0+\n"));
  EXPECT_EQ(file("node.log"), "to the log\n");

  link_->apply(core::StopServer{connected.node, {1, 1}, seconds{3}});
  link_->flush();
  ToNode first, second;
  first.mutable_hello()->set_protocol(1);
  first.mutable_hello()->set_join_public_key(std::string(32, 'k'));
  second.mutable_stop()->set_server_id("1.1");
  second.mutable_stop()->set_grace_ms(3000);
  EXPECT_TRUE(run_until([&] { return file("received") == framed(first) + framed(second); }));
  link_.reset();  // The program ends with its link.
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
}

TEST_F(NodeLinkTest, EffectsGoOutTogetherAndOnlyToTheirNode) {
  TestNode node = connected();
  core::FleetConfig fleet;
  fleet.name = "duel";
  fleet.command = {"x"};
  link_->apply(core::LaunchServer{
      node_, {1, 1}, 0, 7001, {}, "", "", 0, std::make_shared<const core::FleetConfig>(fleet), 7});
  link_->apply(core::StopServer{{0, node_.generation + 1}, {2, 1}, seconds{1}});
  link_->apply(core::StopServer{{}, {2, 1}, seconds{1}});
  link_->apply(core::SendServerLoginOk{});
  link_->apply(core::StopServer{node_, {3, 1}, seconds{1}});
  EXPECT_FALSE(node.poll_message()) << "nothing before flush()";
  link_->flush();
  EXPECT_EQ(next(node).launch().server_id(), "1.1");
  EXPECT_EQ(next(node).stop().server_id(), "3.1");
  EXPECT_FALSE(node.poll_message());
}

TEST_F(NodeLinkTest, NewsBecomeEvents) {
  TestNode node = connected();
  FromNode message;
  message.mutable_ready()->set_server_id("nonsense");
  node.send(message);
  message.mutable_ready()->set_server_id("12.9");
  const std::string bytes = framed(message);
  node.send_bytes(bytes.substr(0, 3));
  io_.restart();
  io_.run_for(milliseconds{5});
  node.send_bytes(bytes.substr(3));
  EXPECT_EQ(next<core::ServerReady>().server, (core::ServerId{12, 9}));
}

TEST_F(NodeLinkTest, OwnersAreAskedFor) {
  TestNode node = connected();
  link_->apply(core::VerifyOwner{node_, {1, 1}, {7, 1}});
  link_->apply(core::VerifyOwner{node_, {2, 1}, {8, 1}});
  link_->apply(core::VerifyOwner{node_, gone_, {9, 1}});
  link_->flush();
  auto answer = next<core::OwnerVerified>();  // At once: there is nothing to ask.
  EXPECT_EQ(answer.session, gone_);
  EXPECT_FALSE(answer.verified);
  EXPECT_EQ(answer.detail, "the connection is gone");
  const ToNode first = next(node), second = next(node);
  EXPECT_EQ(first.verify_owner().server_id(), "7.1");
  EXPECT_EQ(first.verify_owner().peer_address(), "127.0.0.1");
  EXPECT_EQ(first.verify_owner().peer_port(), 40112u);
  EXPECT_EQ(first.verify_owner().local_address(), "127.0.0.2");
  EXPECT_EQ(first.verify_owner().local_port(), 4100u);
  FromNode verified;
  verified.mutable_owner_verified()->set_query(second.verify_owner().query());
  verified.mutable_owner_verified()->set_verified(true);
  node.send(verified);
  node.send(verified);  // Nobody asked twice.
  answer = next<core::OwnerVerified>();
  EXPECT_EQ(answer.session, (core::SessionId{2, 1}));
  EXPECT_EQ(answer.server, (core::ServerId{8, 1}));
  EXPECT_TRUE(answer.verified);
  {
    TestNode ends = std::move(node);
  }
  answer = next<core::OwnerVerified>();  // The first was never answered.
  EXPECT_EQ(answer.session, (core::SessionId{1, 1}));
  EXPECT_FALSE(answer.verified);
  EXPECT_EQ(next<core::NodeLost>().node, node_);
  link_->apply(core::VerifyOwner{node_, {3, 1}, {7, 1}});
  EXPECT_FALSE(next<core::OwnerVerified>().verified);
}

TEST_F(NodeLinkTest, ANodeThatComesBackHasANewId) {
  std::vector<core::NodeId> seen;
  for (int i = 0; i < 3; ++i) {
    TestNode node = connected();
    seen.push_back(node_);
    link_->apply(core::StopServer{node_, {1, 1}, seconds{1}});  // Not flushed: not sent later.
    {
      TestNode ends = std::move(node);
    }
    EXPECT_EQ(next<core::NodeLost>().node, node_);
    EXPECT_FALSE(link_->connected());
  }
  EXPECT_EQ(seen[0].slot, seen[1].slot);
  EXPECT_LT(seen[0].generation, seen[1].generation);
  EXPECT_LT(seen[1].generation, seen[2].generation);
}

TEST_F(NodeLinkTest, NodesThatAreNone) {
  FromNode refusing = hello_of("x");
  refusing.mutable_hello()->set_error("another protocol");
  FromNode newer = hello_of("x");
  newer.mutable_hello()->set_protocol(2);
  FromNode too_early;
  too_early.mutable_ready()->set_server_id("1.1");
  struct Row {
    const char* name;
    std::string bytes;
  };
  const Row rows[] = {
      {"says why not", framed(refusing)},
      {"another protocol", framed(newer)},
      {"news before hello", framed(too_early)},
      {"garbage", "HTTP/1.1 200 OK\r\n\r\n"},
      {"a frame too large", std::string("\xff\xff\xff\xff", 4)},
  };
  listen();
  testing::internal::CaptureStderr();
  start();
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    TestNode node = accept();
    EXPECT_TRUE(next(node).has_hello());
    node.send_bytes(row.bytes);
    EXPECT_TRUE(run_until([&] { return node.closed(); }));
    EXPECT_TRUE(events_.empty());
  }
  EXPECT_NE(testing::internal::GetCapturedStderr().find("another protocol"), std::string::npos);
  connected();  // And it goes on trying.
}

FromNode report_of(std::uint64_t number, const std::string& server_id) {
  FromNode message;
  message.set_number(number);
  message.mutable_ready()->set_server_id(server_id);
  return message;
}

TEST_F(NodeLinkTest, ReportsAreAcknowledgedOnceTheyAreStepped) {
  TestNode node = connected();
  node.send_bytes(framed(report_of(1, "1.1")) + framed(report_of(2, "2.1")));
  EXPECT_EQ(next<core::ServerReady>().server, (core::ServerId{1, 1}));
  EXPECT_EQ(next<core::ServerReady>().server, (core::ServerId{2, 1}));
  const auto reported = next<core::NodeReported>();
  EXPECT_EQ(reported.node, node_);
  EXPECT_EQ(reported.number, 2u);
  link_->apply(core::AcknowledgeReports{node_, "run", 2});
  link_->flush();
  const ToNode heard = next(node);
  EXPECT_EQ(heard.reports_heard().run(), "run");
  EXPECT_EQ(heard.reports_heard().number(), 2u);

  FromNode nonsense =
      report_of(3, "no id");  // It counts all the same, or it would be sent for ever.
  node.send(nonsense);
  EXPECT_EQ(next<core::NodeReported>().number, 3u);
}

// What was said before the link, and what of it this lobby has heard already.
TEST_F(NodeLinkTest, ReportsAreHeardOnceWhoeverWasAway) {
  heard_ = {{"other", 90}, {"one", 4}};
  listen();
  start();
  TestNode node = accept();
  const ToNode hello = next(node);
  ASSERT_EQ(hello.hello().heard_size(), 2);
  EXPECT_EQ(hello.hello().heard(1).run(), "one");
  EXPECT_EQ(hello.hello().heard(1).number(), 4u);
  FromNode answer = hello_of("here");
  answer.mutable_hello()->set_run("one");
  node.send_bytes(framed(report_of(4, "4.1")) + framed(report_of(5, "5.1")));
  EXPECT_FALSE(an_event_within(milliseconds{30})) << "whose these are is not known yet";
  node.send_bytes(framed(answer) + framed(report_of(6, "6.1")));
  EXPECT_EQ(next<core::ServerReady>().server, (core::ServerId{5, 1})) << "the fourth was heard";
  const auto here = next<core::NodeConnected>();
  EXPECT_EQ(here.run, "one");
  EXPECT_EQ(here.reported, 5u);
  EXPECT_EQ(next<core::ServerReady>().server, (core::ServerId{6, 1}));
  EXPECT_EQ(next<core::NodeReported>().number, 6u);

  // Nothing of it has been stepped when the link is lost: it is not heard again even so.
  node = TestNode(-1);
  EXPECT_EQ(next<core::NodeLost>().node, here.node);
  TestNode again = accept();
  const ToNode second = next(again);
  ASSERT_EQ(second.hello().heard_size(), 3);
  EXPECT_EQ(second.hello().heard(2).number(), 6u);
  again.send_bytes(framed(report_of(6, "6.1")) + framed(answer));
  EXPECT_EQ(next<core::NodeConnected>().reported, 6u);

  // Another process of the node counts anew.
  again = TestNode(-1);
  next<core::NodeLost>();
  TestNode other = accept();
  next(other);
  answer.mutable_hello()->set_run("two");
  other.send_bytes(framed(report_of(1, "1.1")) + framed(answer));
  EXPECT_EQ(next<core::ServerReady>().server, (core::ServerId{1, 1}));
  EXPECT_EQ(next<core::NodeConnected>().reported, 1u);
}

TEST_F(NodeLinkTest, TwoHellosAreTooMany) {
  TestNode node = connected();
  node.send(hello_of("again"));
  EXPECT_EQ(next<core::NodeLost>().node, node_);
}

TEST_F(NodeLinkTest, WhatCannotBeStartedIsSaidOnceAndTriedAgain) {
  testing::internal::CaptureStderr();
  start();
  EXPECT_FALSE(an_event_within(milliseconds{100}));
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("no-node: No such file or directory"), std::string::npos) << said;
  EXPECT_EQ(said.find("cannot start"), said.rfind("cannot start")) << "once";
  connected();
}

TEST_F(NodeLinkTest, ANodeThatEndsAtOnceIsReaped) {
  write_program("echo $$ >> \"$3/pids\"; echo 'node: some trouble' >&2; exit 1\n");
  testing::internal::CaptureStderr();
  start();
  const auto pids = [&] {
    std::vector<pid_t> found;
    std::istringstream in(file("pids"));
    for (pid_t pid; in >> pid;) found.push_back(pid);
    return found;
  };
  EXPECT_TRUE(run_until([&] { return pids().size() >= 3; }));
  const auto first = pids().front();
  EXPECT_TRUE(run_until([&] { return ::kill(first, 0) < 0; }));
  EXPECT_TRUE(events_.empty());
  EXPECT_NE(testing::internal::GetCapturedStderr().find("node.log"), std::string::npos);
  listen();  // From here on it connects, so that none is left running.
  connected();
  EXPECT_TRUE(run_until([&] { return ::waitpid(-1, nullptr, WNOHANG) < 0; }));
}

TEST_F(NodeLinkTest, StopNode) {
  TestNode node = connected();
  link_->stop_node(milliseconds{1500});
  EXPECT_EQ(next(node).stop_node().grace_ms(), 1500u);
  FromNode exited;
  exited.mutable_exited()->set_server_id("1.1");
  node.send(exited);
  next<core::ServerExited>();
  {
    TestNode ends = std::move(node);
  }
  next<core::NodeLost>();
  EXPECT_FALSE(an_event_within(milliseconds{100})) << "it is not looked for again";
  EXPECT_LT(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC), 0);
}

TEST_F(NodeLinkTest, ANodeThatOnlyComesIsWaitedForAndToldToStop) {
  write_program("touch \"$3/second\"\n");
  const int lock = ::open((data_ + "/node.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(::flock(lock, LOCK_EX | LOCK_NB), 0);  // As a lobby before this one has left it.
  start();
  EXPECT_FALSE(an_event_within(milliseconds{50}));
  link_->stop_node(milliseconds{0});
  EXPECT_FALSE(link_->stopped());
  EXPECT_FALSE(an_event_within(milliseconds{50}));
  EXPECT_FALSE(link_->stopped());
  listen();
  {
    TestNode node = accept();
    EXPECT_TRUE(next(node).has_hello());
    EXPECT_TRUE(next(node).has_stop_node());
    EXPECT_FALSE(link_->stopped());
    ::close(lock);
  }
  EXPECT_TRUE(run_until([&] { return link_->stopped(); }));
  EXPECT_FALSE(std::filesystem::exists(data_ + "/second")) << "none is started beside it";
}

TEST_F(NodeLinkTest, ANodeIsKnownOfBeforeItRuns) {
  write_program("read line < \"$3/open\"\n");
  ASSERT_EQ(::mkfifo((data_ + "/open").c_str(), 0600), 0);
  start();
  link_.reset();  // The lobby is gone while its node still comes up.
  start();
  link_->stop_node(milliseconds{0});
  EXPECT_FALSE(link_->stopped());
  {
    std::ofstream open(data_ + "/open");
  }
  EXPECT_TRUE(run_until([&] { return link_->stopped(); }));
  EXPECT_TRUE(run_until([&] { return ::waitpid(-1, nullptr, WNOHANG) != 0; }));
}

TEST_F(NodeLinkTest, ANodeThatDoesNotReadIsLost) {
  TestNode node = connected();
  core::Roster roster(200, {{1, 1}, std::string(32, 'n'), 0, 1, {{"a", std::string(1000, 'x')}}});
  const auto shared = std::make_shared<const core::Roster>(roster);
  testing::internal::CaptureStderr();
  for (int i = 0; i < 1000 && link_->connected(); ++i) {
    link_->apply(core::StartServerMatch{node_, {1, 1}, {1, 1}, "q", "m", shared});
    link_->flush();
  }
  EXPECT_EQ(next<core::NodeLost>().node, node_);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("does not read"), std::string::npos);
}

}  // namespace
}  // namespace muster::net
