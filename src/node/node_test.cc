#include "node/node.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>

#include "node/node_harness.h"

namespace muster::node::test {
namespace {

using wire::node::LaunchFailed;

TEST_F(NodeTest, SaysHello) {
  EXPECT_EQ(lobby_hello_.protocol(), 1u);
  EXPECT_EQ(lobby_hello_.name(), "here");
  EXPECT_EQ(lobby_hello_.pid(), static_cast<std::uint32_t>(node_.pid()));
  EXPECT_EQ(lobby_hello_.servers_size(), 0);
}

TEST_F(NodeTest, LaunchReadyExit) {
  const Launched server = launch_sleeper("0.1");
  TestSdk sdk = TestSdk::connect(server.sdk);
  const auto welcome = sdk.hello(server.token);
  ASSERT_TRUE(welcome && welcome->has_welcome());
  EXPECT_EQ(welcome->welcome().server_id(), "0.1");
  sdk.ready();
  const auto ready = lobby_.next();
  ASSERT_TRUE(ready && ready->has_ready());
  EXPECT_EQ(ready->ready().server_id(), "0.1");

  ::kill(server.pid, SIGKILL);
  const auto exited = lobby_.next_exit();
  EXPECT_EQ(exited.server_id(), "0.1");
  EXPECT_EQ(exited.exit_code(), -1);
  EXPECT_EQ(exited.signal(), SIGKILL);
  EXPECT_TRUE(sdk.is_closed_by_peer());
  EXPECT_FALSE(is_running(server.pid));
}

TEST_F(NodeTest, LaunchesThatFail) {
  const std::string plain = data_ / "plain";
  std::ofstream(plain) << "no program\n";
  const std::string no_shebang = data_ / "no_shebang";
  std::ofstream(no_shebang) << "exit 0\n";
  ::chmod(no_shebang.c_str(), 0755);
  const std::string no_interpreter = data_ / "no_interpreter";
  std::ofstream(no_interpreter) << "#!/no/such/interpreter\n";
  ::chmod(no_interpreter.c_str(), 0755);

  const auto command = [](const std::string& program) {
    auto launch = shell("0.1", "");
    launch.clear_command();
    launch.add_command(program);
    return launch;
  };
  auto no_folder = shell("0.1", "exit 0");
  no_folder.set_working_directory("/no/such/folder");
  auto relative = command("./here");
  relative.set_working_directory(data_.path());
  auto placeholder = shell("0.1", "echo {prot}");
  auto own_variable = shell("0.1", "");
  own_variable.add_env()->set_name("MUSTER_TOKEN");
  auto no_port = shell("0.1", "");
  no_port.set_port(0);
  auto escaping = shell("0.1", "");
  escaping.set_fleet("../../etc");
  auto empty = shell("0.1", "");
  empty.clear_command();

  struct Row {
    const char* name;
    wire::node::Launch launch;
    const char* detail;
  };
  const Row rows[] = {
      {"a missing program", command("/no/such/program"),
       "cannot execute /no/such/program: No such file or directory"},
      {"missing in PATH", command("no-such-program"), "No such file or directory in PATH"},
      {"not executable", command(plain), "Permission denied"},
      {"a folder", command(data_.path()), "Permission denied"},
      {"without #!", command(no_shebang), "Exec format error (is its \"#!\" line missing?)"},
      {"interpreter missing", command(no_interpreter), "No such file or directory"},
      {"no working directory", no_folder,
       "cannot enter the working directory /no/such/folder: No such file or directory"},
      {"missing in the working directory", relative, "cannot execute ./here: No such file"},
      {"an unknown placeholder", placeholder, "there is no placeholder {prot}"},
      {"a variable of Muster's", own_variable, "MUSTER_TOKEN is set by Muster itself"},
      {"port 0", no_port, "0 is no port"},
      {"a fleet that is no file name", escaping, "cannot be a file name"},
      {"an empty command", empty, "the command is empty"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    LaunchFailed failure;
    EXPECT_EQ(lobby_.launch(row.launch, &failure), 0);
    EXPECT_EQ(failure.reason(), LaunchFailed::COMMAND_FAILED);
    EXPECT_NE(failure.detail().find(row.detail), std::string::npos) << failure.detail();
  }
  EXPECT_GT(lobby_.launch(shell("0.1", "exec sleep 1000")), 0) << "the node still works";
}

TEST_F(NodeTest, TheSameIdTwice) {
  EXPECT_GT(lobby_.launch(shell("0.1", "exec sleep 1000")), 0);
  LaunchFailed failure;
  EXPECT_EQ(lobby_.launch(shell("0.1", "exec sleep 1000"), &failure), 0);
  EXPECT_NE(failure.detail().find("already runs a server 0.1"), std::string::npos);
}

TEST_F(NodeTest, APortThatIsTaken) {
  for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
    auto launch = shell("0.1", "exec sleep 1000");
    UniqueFd taken(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(launch.port()));
    ASSERT_EQ(::bind(taken.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    if (type == SOCK_STREAM) {
      ASSERT_EQ(::listen(taken.get(), 1), 0);
    }
    LaunchFailed failure;
    EXPECT_EQ(lobby_.launch(launch, &failure), 0);
    EXPECT_EQ(failure.reason(), LaunchFailed::PORT_TAKEN);
    EXPECT_NE(failure.detail().find("Address already in use"), std::string::npos);
    taken.reset();
    EXPECT_GT(lobby_.launch(launch), 0);
    lobby_.stop("0.1", milliseconds{0});
    lobby_.next_exit();
  }
}

TEST_F(NodeTest, HowItEndedIsTold) {
  struct Row {
    const char* name;
    const char* script;
    int exit_code, signal;
    const char* detail;
  };
  const Row rows[] = {
      {"well", "exit 0", 0, 0, ""},
      {"with a code", "echo starting; echo no map called de_dust >&2; exit 7", 7, 0,
       "no map called de_dust"},
      {"by a signal", "kill -SEGV $$", -1, SIGSEGV, ""},
      {"last line without an end", "printf 'one\\ntwo'; exit 1", 1, 0, "two"},
      {"blank lines do not count", "printf 'one\\n\\n   \\n'; exit 1", 1, 0, "one"},
      {"what is not text is not passed on", "printf 'a\\377b\\001c\\n'", 0, 0, "a?b?c"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    ASSERT_GT(lobby_.launch(shell("0.1", row.script)), 0);
    const auto exited = lobby_.next_exit();
    EXPECT_EQ(exited.exit_code(), row.exit_code);
    EXPECT_EQ(exited.signal(), row.signal);
    EXPECT_EQ(exited.detail(), row.detail);
  }
}

TEST_F(NodeTest, StopIsSigtermThenSigkill) {
  // One that cleans up.
  ASSERT_GT(lobby_.launch(shell("0.1", "trap 'echo bye; exit 3' TERM; touch " + (data_ / "a") +
                                           "; while :; do sleep 0.01; done")),
            0);
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(data_ / "a"); }));
  lobby_.stop("0.1", seconds{60});
  auto exited = lobby_.next_exit();
  EXPECT_EQ(exited.exit_code(), 3);
  EXPECT_EQ(exited.detail(), "bye");

  // One that does not listen, nor do its children.
  ASSERT_GT(lobby_.launch(shell(
                "0.2", "trap '' TERM; touch " + (data_ / "b") + "; while :; do sleep 0.01; done")),
            0);
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(data_ / "b"); }));
  const auto before = steady_clock::now();
  lobby_.stop("0.2", milliseconds{200});
  exited = lobby_.next_exit();
  EXPECT_EQ(exited.signal(), SIGKILL);
  EXPECT_GE(steady_clock::now() - before, milliseconds{200});

  // A second stop may only bring the end closer.
  ASSERT_GT(lobby_.launch(shell(
                "0.3", "trap '' TERM; touch " + (data_ / "c") + "; while :; do sleep 0.01; done")),
            0);
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(data_ / "c"); }));
  lobby_.stop("0.3", seconds{600});
  lobby_.stop("0.3", milliseconds{50});
  lobby_.stop("0.3", seconds{600});
  EXPECT_EQ(lobby_.next_exit().signal(), SIGKILL);
}

// Whatever way a server's children were made, they are gone when its exit is reported.
TEST_F(NodeTest, NothingIsLeftBehind) {
  const std::string pids = data_ / "pids";
  struct Row {
    const char* name;
    std::string script;
  };
  const Row rows[] = {
      {"a child", "sleep 1000 & echo $! > " + pids},
      {"a child in a group of its own", "set -m; sleep 1000 & echo $! > " + pids},
      {"a daemon in a session of its own", "setsid sh -c 'echo $$ > " + pids +
                                               "; exec sleep 1000' & while ! [ -s " + pids +
                                               " ]; do sleep 0.01; done"},
      {"a daemon without the environment", "env -i /usr/bin/setsid /bin/sh -c 'echo $$ > " + pids +
                                               "; exec /bin/sleep 1000' & while ! [ -s " + pids +
                                               " ]; do sleep 0.01; done"},
      {"a tree", "sh -c \"setsid sh -c 'sleep 1000 & echo \\$! > " + pids +
                     "; wait' & wait\" & while ! [ -s " + pids + " ]; do sleep 0.01; done"},
      {"one that ignores SIGTERM", "sh -c 'trap \"\" TERM; echo $$ > " + pids +
                                       "; while :; do sleep 0.01; done' & while ! [ -s " + pids +
                                       " ]; do sleep 0.01; done"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    std::filesystem::remove(pids);
    ASSERT_GT(lobby_.launch(shell("0.1", row.script)), 0);
    EXPECT_EQ(lobby_.next_exit().exit_code(), 0);
    pid_t pid = 0;
    std::ifstream(pids) >> pid;
    ASSERT_GT(pid, 0);
    EXPECT_FALSE(is_running(pid));
  }
}

// Two servers with daemons: the end of one leaves the other's alone.
TEST_F(NodeTest, OnlyItsOwnAreCleared) {
  const auto daemon = [&](const std::string& file, const std::string& then) {
    return "setsid sh -c 'echo $$ > " + file + "; exec sleep 1000' & while ! [ -s " + file +
           " ]; do sleep 0.01; done; " + then;
  };
  const auto pid_in = [](const std::string& file) {
    pid_t pid = 0;
    std::ifstream(file) >> pid;
    return pid;
  };
  ASSERT_GT(lobby_.launch(shell("0.1", daemon(data_ / "a", "exec sleep 1000"))), 0);
  ASSERT_TRUE(eventually([&] { return pid_in(data_ / "a") > 0; }));
  ASSERT_GT(lobby_.launch(shell("0.2", daemon(data_ / "b", "exit 0"))), 0);
  EXPECT_EQ(lobby_.next_exit().server_id(), "0.2");
  EXPECT_FALSE(is_running(pid_in(data_ / "b")));
  EXPECT_TRUE(is_running(pid_in(data_ / "a")));
  lobby_.stop("0.1", milliseconds{0});
  lobby_.next_exit();
  EXPECT_FALSE(is_running(pid_in(data_ / "a")));
}

TEST_F(NodeTest, WhatTheProcessIsGiven) {
  const std::string out = data_ / "out";
  auto launch = shell(
      "0.1", "env > " + out + "; ls -l /proc/self/fd > " + out + ".fd; pwd > " + out +
                 ".pwd; cat /proc/self/stat > " + out + ".stat; grep Sig /proc/self/status > " +
                 out + ".sig; ulimit -n > " + out + ".files; echo \"$0 $*\" > " + out + ".args");
  launch.add_command("{port}:{server_id}:{queue}:{map}:{players}:{host}");
  launch.set_queue("duel-queue");
  launch.set_map("arena");
  launch.set_players(2);
  launch.set_match_id("5.1");
  launch.set_working_directory("/usr");
  auto* variable = launch.add_env();
  variable->set_name("GAME_MODE");
  variable->set_value("{queue} on {map}");
  const pid_t pid = lobby_.launch(launch);
  ASSERT_GT(pid, 0);
  EXPECT_EQ(lobby_.next_exit().exit_code(), 0);

  const std::string port = std::to_string(launch.port());
  const std::string env = '\n' + read_file(out);
  for (const std::string& want :
       {"\nPORT=" + port + '\n', "\nMUSTER_PORT=" + port + '\n',
        std::string("\nMUSTER_SERVER_ID=0.1\n"), std::string("\nMUSTER_FLEET=duel\n"),
        std::string("\nMUSTER_MATCH_ID=5.1\n"), std::string("\nGAME_MODE=duel-queue on arena\n"),
        std::string("\nMUSTER_JOIN_KEY=a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s\n"),
        std::string("\nMUSTER_SDK=127.0.0.1:"), std::string("\nMUSTER_TOKEN=")})
    EXPECT_NE(env.find(want), std::string::npos) << want;
  std::set<std::string> names;
  std::istringstream lines(read_file(out));
  for (std::string line; std::getline(lines, line);) names.insert(line.substr(0, line.find('=')));
  for (const char* allowed :
       {"PATH", "HOME", "LANG", "TZ", "USER", "PORT", "MUSTER_PORT", "MUSTER_SERVER_ID",
        "MUSTER_FLEET", "MUSTER_MATCH_ID", "MUSTER_JOIN_KEY", "MUSTER_SDK", "MUSTER_SDK_LOCAL",
        "MUSTER_TOKEN", "GAME_MODE", "PWD", "OLDPWD", "SHLVL",
        "_"})  // The last four: the shell's own.
    names.erase(allowed);
  EXPECT_THAT(names, testing::IsEmpty());

  // 0 to 2, and ls's own folder.
  const std::string fds = read_file(out + ".fd");
  EXPECT_EQ(std::ranges::count(fds, '\n'), 5) << fds;  // "total", and four.
  EXPECT_NE(fds.find("0 -> /dev/null"), std::string::npos) << fds;
  EXPECT_EQ(read_file(out + ".pwd"), "/usr\n");
  std::istringstream stat(read_file(out + ".stat"));
  std::string ignored;
  int group = 0, session = 0;
  stat >> ignored >> ignored >> ignored >> ignored >> group >> session;
  EXPECT_EQ(group, pid);
  EXPECT_EQ(session, pid);
  const std::string signals = read_file(out + ".sig");
  EXPECT_NE(signals.find("SigBlk:\t0000000000000000"), std::string::npos) << signals;
  EXPECT_NE(signals.find("SigIgn:\t0000000000000000"), std::string::npos) << signals;
  EXPECT_EQ(read_file(out + ".args"), port + ":0.1:duel-queue:arena:2:127.0.0.1 \n");
}

TEST_F(NodeTest, OutputIsKeptBoundedAndStarvesNobody) {
  auto loud = shell("0.1", "yes 'a line of output that is not short at all'");
  loud.set_log_bytes_max(64 << 10);
  loud.set_log_files_max(3);
  ASSERT_GT(lobby_.launch(loud), 0);
  const auto logs = [&] {
    std::map<std::string, std::uintmax_t> sizes;
    std::error_code error;  // Files come and go.
    for (const auto& entry : std::filesystem::directory_iterator(data_ / "logs/duel", error))
      sizes[entry.path().filename().string()] = entry.file_size(error);
    return sizes;
  };
  ASSERT_TRUE(eventually([&] { return logs().size() == 3; }));
  const Launched other = launch_sleeper("0.2");  // While the first goes on.
  TestSdk sdk = TestSdk::connect(other.sdk);
  ASSERT_TRUE(sdk.hello(other.token)->has_welcome());
  sdk.ready();
  EXPECT_TRUE(lobby_.next()->has_ready());
  lobby_.stop("0.1", milliseconds{0});
  EXPECT_EQ(lobby_.next_exit().detail(), "a line of output that is not short at all");
  const auto left = logs();
  EXPECT_EQ(left.size(), 3u);
  for (const auto& [name, size] : left) {
    EXPECT_LE(size, 64u << 10) << name;
    EXPECT_TRUE(name.starts_with("0.1-")) << name;
  }
}

// Far more than is kept: the node throws it away at little cost, and says how much in the log.
TEST_F(NodeTest, AFloodOfOutputCostsTheNodeLittle) {
  const auto cpu_seconds = [&] {
    std::istringstream fields(read_file("/proc/" + std::to_string(node_.pid()) + "/stat"));
    std::string skipped;  // Its name has no space.
    for (int i = 0; i < 13; ++i) fields >> skipped;
    double user = 0, system = 0;
    fields >> user >> system;
    return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  };
  const auto log = [&] {
    std::string all;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(data_ / "logs/duel", error))
      if (entry.path().filename().string().starts_with("0.1-")) all += read_file(entry.path());
    return all;
  };
  ASSERT_GT(lobby_.launch(shell("0.1", "yes 'too much'")), 0);
  ASSERT_TRUE(eventually([&] { return log().size() >= 4u << 20; })) << "a burst is kept";
  const double before = cpu_seconds();
  const auto begun = steady_clock::now();
  ASSERT_TRUE(
      eventually([&] { return log().find("bytes of output lost here") != std::string::npos; }));
  const std::chrono::duration<double> took = steady_clock::now() - begun;
  EXPECT_LT(cpu_seconds() - before, 0.3 * took.count() + 0.3);
  EXPECT_LT(log().size(), (took.count() + 3) * (1 << 20) + (5 << 20));

  const Launched other = launch_sleeper("0.2");  // While it goes on.
  TestSdk sdk = TestSdk::connect(other.sdk);
  ASSERT_TRUE(sdk.hello(other.token)->has_welcome());
  sdk.ready();
  EXPECT_TRUE(lobby_.next()->has_ready());
  lobby_.stop("0.1", milliseconds{0});
  EXPECT_EQ(lobby_.next_exit().detail(), "too much");
}

// A helper of the server's that keeps its port: killed, so that the next one can have it.
TEST_F(NodeTest, ThePortOfOneThatForksAndExitsIsFree) {
  const std::string listen =
      "use Socket; socket(S,PF_INET,SOCK_STREAM,0); bind(S,sockaddr_in($ARGV[0],INADDR_ANY)) or "
      "die $!; listen(S,1); fork and exit 0; setpgrp; sleep 1000";
  auto launch = shell("0.1", "");
  launch.clear_command();
  for (const std::string& word : {std::string("perl"), std::string("-e"), listen})
    launch.add_command(word);
  launch.add_command("{port}");
  for (int i = 0; i < 3; ++i) {
    ASSERT_GT(lobby_.launch(launch), 0) << "round " << i;
    EXPECT_EQ(lobby_.next_exit().exit_code(), 0);
  }
}

// What the look at the port does not see, a server that ends for it does.
TEST_F(NodeTest, APortConflictIsKnownAfterwards) {
  auto launch = shell("0.1", "echo cannot bind; exit 1");
  UniqueFd taken(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(launch.port()));
  ASSERT_EQ(::bind(taken.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0)
      << "bound without listening";
  ASSERT_GT(lobby_.launch(launch), 0);
  auto answer = lobby_.next();
  ASSERT_TRUE(answer && answer->has_launch_failed()) << answer->ShortDebugString();
  EXPECT_EQ(answer->launch_failed().reason(), LaunchFailed::PORT_TAKEN);
  EXPECT_NE(answer->launch_failed().detail().find("Address already in use"), std::string::npos);
  taken.reset();
  ASSERT_GT(lobby_.launch(launch), 0);
  EXPECT_EQ(lobby_.next_exit().exit_code(), 1) << "its own fault this time";
}

// Fifty at once: each is launched, in order, and those that come up meanwhile are heard.
TEST_F(NodeTest, ManyLaunchesAtOnce) {
  constexpr int count = 50;
  for (int i = 0; i < count; ++i) {
    ToNode message;
    *message.mutable_launch() = shell("0." + std::to_string(i + 1), "exec sleep 1000");
    lobby_.send(message);
  }
  lobby_.stop("0.50", milliseconds{0});  // Its launch still waits: it is not forgotten.
  std::set<std::string> launched, exited;
  while (launched.size() < count || exited.empty()) {
    const auto message = lobby_.next();
    ASSERT_TRUE(message && (message->has_launched() || message->has_exited()));
    if (message->has_launched()) launched.insert(message->launched().server_id());
    if (message->has_exited()) exited.insert(message->exited().server_id());
  }
  EXPECT_EQ(exited, std::set<std::string>{"0.50"});
  for (int i = 0; i < count; ++i) {
    ToNode message;
    *message.mutable_launch() = shell("1." + std::to_string(i + 1), "exec sleep 1000");
    lobby_.send(message);
  }
  lobby_.stop_node(milliseconds{0});  // Those that still wait are refused.
  std::set<std::string> answered;
  while (answered.size() < count) {
    const auto message = lobby_.next();
    ASSERT_TRUE(message);
    if (message->has_launched()) answered.insert(message->launched().server_id());
    if (message->has_launch_failed()) answered.insert(message->launch_failed().server_id());
  }
  while (lobby_.next()) continue;
  EXPECT_EQ(node_.wait(), 0);
}

TEST_F(NodeTest, StoppedByTheLobbyLeavesNothing) {
  const pid_t a = lobby_.launch(shell("0.1", "exec sleep 1000"));
  const pid_t b = lobby_.launch(
      shell("0.2", "trap '' TERM; touch " + (data_ / "b") + "; while :; do sleep 0.01; done"));
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(data_ / "b"); }));
  lobby_.stop_node(milliseconds{300});
  std::set<std::string> exited{lobby_.next_exit().server_id(), lobby_.next_exit().server_id()};
  EXPECT_EQ(exited, (std::set<std::string>{"0.1", "0.2"}));
  EXPECT_TRUE(lobby_.is_closed_by_peer());
  EXPECT_EQ(node_.wait(), 0);
  EXPECT_FALSE(is_running(a));
  EXPECT_FALSE(is_running(b));
  EXPECT_FALSE(std::filesystem::exists(data_ / "node.sock"));
}

TEST_F(NodeTest, StoppedBySignalLeavesNothing) {
  const std::string file = data_ / "daemon";
  const pid_t a =
      lobby_.launch(shell("0.1", "env -i /usr/bin/setsid /bin/sh -c 'echo $$ > " + file +
                                     "; exec /bin/sleep 1000' & exec sleep 1000"));
  pid_t daemon = 0;
  ASSERT_TRUE(eventually([&] { return (std::ifstream(file) >> daemon) && daemon > 0; }));
  node_.signal(SIGTERM);
  EXPECT_EQ(node_.wait(), 0);
  EXPECT_FALSE(is_running(a));
  EXPECT_FALSE(is_running(daemon));
}

TEST_F(NodeTest, WhileStoppingNothingIsLaunched) {
  ASSERT_GT(lobby_.launch(shell(
                "0.1", "trap '' TERM; touch " + (data_ / "a") + "; while :; do sleep 0.01; done")),
            0);
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(data_ / "a"); }));
  lobby_.stop_node(seconds{600});
  LaunchFailed failure;
  EXPECT_EQ(lobby_.launch(shell("0.2", "exec sleep 1000"), &failure), 0);
  EXPECT_EQ(failure.detail(), "the node is stopping");
  node_.signal(SIGTERM);  // Told again: at once.
  EXPECT_EQ(lobby_.next_exit().signal(), SIGKILL);
  EXPECT_EQ(node_.wait(), 0);
}

TEST_F(NodeTest, ASecondNodeOnTheFolderSaysWhoIsThere) {
  const std::string log = data_ / "second.log";
  const pid_t pid = ::fork();
  if (pid == 0) {
    const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT, 0600);
    ::dup2(fd, STDERR_FILENO);
    ::_exit(run_node(options(data_.path())));
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_NE(read_file(log).find("another node (pid " + std::to_string(node_.pid()) + ")"),
            std::string::npos)
      << read_file(log);
  EXPECT_GT(lobby_.launch(shell("0.1", "exec sleep 1000")), 0) << "the first goes on";
}

TEST(NodeStart, FoldersThatWillNotDo) {
  TemporaryFolder folder;
  std::ofstream(folder / "file") << "x";
  const std::string log = folder / "log";
  const std::string long_name = folder / std::string(120, 'x');
  for (const auto& [data, want] : {std::pair{folder / "file", "Not a directory"},
                                   {long_name, "use a data folder with a shorter"}}) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::dup2(::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
      NodeOptions options;
      options.data = data;
      ::_exit(run_node(options));
    }
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(WEXITSTATUS(status), 1);
    EXPECT_NE(read_file(log).find(want), std::string::npos) << read_file(log);
  }
}

TEST(NodeStart, EndsByItselfWithNothingToDo) {
  TemporaryFolder folder;
  NodeOptions options;
  options.data = folder.path();
  options.idle_timeout = milliseconds{100};
  NodeProcess node(options);
  EXPECT_EQ(node.wait(), 0);
}

TEST(NodeStart, TheSdkPortStaysTheSame) {
  TemporaryFolder folder;
  NodeOptions options;
  options.data = folder.path();
  std::string first;
  for (int i = 0; i < 2; ++i) {
    NodeProcess node(options);
    TestLobby lobby = TestLobby::connect(folder.path());
    lobby.hello();
    const std::string port = read_file(folder / "node.port");
    if (i == 0) first = port;
    EXPECT_EQ(port, first);
    lobby.stop_node(milliseconds{0});
    EXPECT_EQ(node.wait(), 0);
  }
}

TEST(NodeStart, AnInheritedLockIsKept) {
  TemporaryFolder folder;
  const std::string path = folder / "node.lock";
  UniqueFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::flock(lock.get(), LOCK_EX | LOCK_NB), 0);
  NodeOptions options;
  options.data = folder.path();
  options.lock_fd = lock.get();
  NodeProcess node(options);
  lock.reset();
  TestLobby lobby = TestLobby::connect(folder.path());
  lobby.hello();
  EXPECT_EQ(read_file(path), std::to_string(node.pid()) + "\n");
  UniqueFd mine(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(::flock(mine.get(), LOCK_SH | LOCK_NB), -1);
  lobby.stop_node(milliseconds{0});
  EXPECT_EQ(node.wait(), 0);
  EXPECT_EQ(::flock(mine.get(), LOCK_SH | LOCK_NB), 0);
}

TEST(NodeStart, AnInheritedLinkIsALobby) {
  TemporaryFolder folder;
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  TestLobby lobby{UniqueFd(ends[0])};
  UniqueFd of_node(ends[1]);
  NodeOptions options;
  options.data = folder.path();
  options.link_fd = of_node.get();
  NodeProcess node(options);
  of_node.reset();
  lobby.hello();
  EXPECT_GT(lobby.launch(shell("0.1", "exec sleep 1000")), 0);
}

}  // namespace
}  // namespace muster::node::test
