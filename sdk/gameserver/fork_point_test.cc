// The fork point with real processes: the test is the node, a child of it the loaded parent.
#include "fork_point.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "muster/gs.h"
#include "muster/gs.hpp"
#include "proto/fork.pb.h"

namespace {

using muster::wire::fork::FromForkPoint;
using muster::wire::fork::ToForkPoint;
using testing::HasSubstr;
using testing::Not;

constexpr int patience_ms = 20'000;
const std::string parents_token(32, '0'), token(32, 'a');

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { close(); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

std::pair<Fd, Fd> make_channel() {
  int ends[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  const int on = 1;
  EXPECT_EQ(::setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

void say(const Fd& channel, const ToForkPoint& message, int descriptor) {
  std::string bytes = message.SerializeAsString();
  iovec part{bytes.data(), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  cmsghdr* const c = CMSG_FIRSTHDR(&header);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(c), &descriptor, sizeof descriptor);
  EXPECT_EQ(::sendmsg(channel.get(), &header, MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

struct Heard {
  FromForkPoint message;
  pid_t sender = 0;
};

/// Nothing at the channel's end.
std::optional<Heard> hear(const Fd& channel) {
  pollfd ready{channel.get(), POLLIN, 0};
  if (::poll(&ready, 1, patience_ms) != 1) {
    ADD_FAILURE() << "nothing came";
    return std::nullopt;
  }
  char bytes[4096];
  iovec part{bytes, sizeof bytes};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  const ssize_t size = ::recvmsg(channel.get(), &header, 0);
  if (size <= 0) return std::nullopt;
  Heard heard;
  EXPECT_TRUE(heard.message.ParseFromArray(bytes, static_cast<int>(size)));
  if (const cmsghdr* c = CMSG_FIRSTHDR(&header)) {
    ucred credentials{};
    std::memcpy(&credentials, CMSG_DATA(c), sizeof credentials);
    heard.sender = credentials.pid;
  }
  return heard;
}

std::string read_to_end(const Fd& fd) {
  std::string all;
  char bytes[4096];
  for (;;) {
    pollfd ready{fd.get(), POLLIN, 0};
    if (::poll(&ready, 1, patience_ms) != 1) return all + "(no end)";
    const ssize_t n = ::read(fd.get(), bytes, sizeof bytes);
    if (n <= 0) return all;
    all.append(bytes, static_cast<std::size_t>(n));
  }
}

volatile sig_atomic_t signals_seen = 0;
void count_signal(int) { signals_seen = signals_seen + 1; }

/// What a process that has left the fork point finds: one line each, for the test to look at.
void tell(std::vector<int>& assets) {
  const auto line = [](const std::string& text) { std::printf("%s\n", text.c_str()); };
  const auto variable = [](const char* name) {
    const char* const value = ::getenv(name);
    return std::string(name) + "=" + (value ? value : "(none)");
  };
  for (const char* name : {"MUSTER_PORT", "MUSTER_TOKEN", "GAME_MODE", "MUSTER_FORK", "KEPT"})
    line(variable(name));
  line("port " + std::to_string(muster_gs_port()));
  line("session " + std::to_string(::getsid(0) == ::getpid()));
  line("group " + std::to_string(::getpgrp() == ::getpid()));
  line("parent " + std::to_string(::getppid()));
  int on_death = 0;
  ::prctl(PR_GET_PDEATHSIG, &on_death);
  line("on death of the node " + std::to_string(on_death));
  line("assets " + std::to_string(assets[12'345]));
  assets[12'345] = -1;  // Its own copy.
  // The C library's idea of this thread.
  ::signal(SIGUSR1, count_signal);
  ::raise(SIGUSR1);
  line("raised " + std::to_string(signals_seen));
  pthread_mutexattr_t attributes;
  pthread_mutex_t mutex;
  ::pthread_mutexattr_init(&attributes);
  ::pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  ::pthread_mutex_init(&mutex, &attributes);
  ::pthread_mutex_lock(&mutex);
  line("mutex is mine " + std::to_string(::pthread_mutex_unlock(&mutex) == 0));
  int from_thread = 0;
  std::thread([&] { from_thread = 7; }).join();
  line("thread " + std::to_string(from_thread));
  const pid_t forked = ::fork();
  if (forked == 0) ::_exit(5);
  int status = 0;
  ::waitpid(forked, &status, 0);
  line("forks " + std::to_string(WEXITSTATUS(status)));
  std::fflush(nullptr);
}

/// The loaded parent, forked from the test.
class Parent {
 public:
  /// `before` is what it does just before the fork point.
  template <class F>
  explicit Parent(F before) {
    auto [ours, theirs] = make_channel();
    int output[2];
    EXPECT_EQ(::pipe(output), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ours.close();
      ::close(output[0]);
      ::dup2(output[1], STDOUT_FILENO);
      ::close(output[1]);
      ::setenv("MUSTER_FORK", std::to_string(theirs.get()).c_str(), 1);
      ::setenv("MUSTER_TOKEN", parents_token.c_str(), 1);
      ::setenv("KEPT", "of the parent", 1);
      ::unsetenv("MUSTER_PORT");
      std::vector<int> assets(1u << 20, 41);
      assets[12'345] = 42;
      std::printf("printed before\n");
      before();
      const muster_gs_status status = muster_gs_fork_point();
      if (status != MUSTER_GS_OK) ::_exit(100 + static_cast<int>(status));
      tell(assets);
      ::_exit(0);
    }
    ::close(output[1]);
    channel_ = std::move(ours);
    output_ = Fd(output[0]);
  }
  Parent() : Parent([] {}) {}
  ~Parent() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Parent(const Parent&) = delete;
  Parent& operator=(const Parent&) = delete;

  Fd& channel() { return channel_; }
  Fd& output() { return output_; }
  void signal(int number) const { ::kill(pid_, number); }
  /// Its exit code.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t pid_ = 0;
  Fd channel_, output_;
};

/// A child that waits to be told what to be.
struct Child {
  Fd channel;
  pid_t pid = 0;

  std::string begin() {
    ToForkPoint message;
    for (const std::string& entry :
         {std::string("MUSTER_PORT=7001"), "MUSTER_TOKEN=" + token, std::string("GAME_MODE=hard")})
      message.mutable_begin()->add_environment(entry);
    int output[2];
    EXPECT_EQ(::pipe(output), 0);
    say(channel, message, output[1]);
    ::close(output[1]);
    return read_to_end(Fd(output[0]));
  }
  int wait() const {
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid) << "it is a child of the node";
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
};

Child make_child(Parent& parent, std::uint32_t number = 1) {
  auto [ours, theirs] = make_channel();
  ToForkPoint message;
  message.mutable_make_child()->set_number(number);
  message.mutable_make_child()->set_node_pid(static_cast<std::uint32_t>(::getpid()));
  say(parent.channel(), message, theirs.get());
  theirs.close();
  const auto heard = hear(ours);
  EXPECT_TRUE(heard && heard->message.has_waiting());
  return {std::move(ours), heard ? heard->sender : 0};
}

class ForkPoint : public testing::TestWithParam<bool> {
 protected:
  ForkPoint() {
    fork_by_library_only = GetParam();
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  }
  ~ForkPoint() override {
    fork_by_library_only = false;
    ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
  }
};

#ifdef __SANITIZE_THREAD__
#define MUSTER_NEEDS_ONE_THREAD GTEST_SKIP() << "ThreadSanitizer has a thread of its own"
#else
#define MUSTER_NEEDS_ONE_THREAD (void)0
#endif

TEST_P(ForkPoint, AChildIsAGameServerOfItsOwn) {
  MUSTER_NEEDS_ONE_THREAD;
  Parent parent;
  ASSERT_TRUE(hear(parent.channel())->message.has_waiting());
  for (int i = 0; i < 2; ++i) {
    Child child = make_child(parent);
    ASSERT_GT(child.pid, 1);
    const std::string told = child.begin();
    EXPECT_EQ(child.wait(), 0) << told;
    for (const std::string& want :
         {std::string("MUSTER_PORT=7001"), "MUSTER_TOKEN=" + token, std::string("GAME_MODE=hard"),
          std::string("MUSTER_FORK=(none)"), std::string("KEPT=of the parent"),
          std::string("port 7001"), std::string("session 1"), std::string("group 1"),
          "parent " + std::to_string(::getpid()), std::string("on death of the node 9"),
          std::string("assets 42"), std::string("raised 1"), std::string("mutex is mine 1"),
          std::string("thread 7"), std::string("forks 5")})
      EXPECT_THAT("\n" + told, HasSubstr("\n" + want + "\n"));
    EXPECT_THAT(told, Not(HasSubstr("printed before"))) << "that was the parent's";
  }
  parent.channel().close();
  EXPECT_EQ(parent.wait(), 0) << "it ends with its channel";
  EXPECT_EQ(read_to_end(parent.output()), "printed before\n") << "once";
}

TEST_P(ForkPoint, AChildThatIsNotNeededEndsWithItsChannel) {
  MUSTER_NEEDS_ONE_THREAD;
  Parent parent;
  ASSERT_TRUE(hear(parent.channel())->message.has_waiting());
  Child child = make_child(parent);
  child.channel.close();
  EXPECT_EQ(child.wait(), 0);
}

TEST_P(ForkPoint, AChildOutlivesItsParent) {
  MUSTER_NEEDS_ONE_THREAD;
  Parent parent;
  ASSERT_TRUE(hear(parent.channel())->message.has_waiting());
  Child child = make_child(parent);
  parent.signal(SIGKILL);
  EXPECT_EQ(parent.wait(), -SIGKILL);
  EXPECT_THAT(child.begin(), HasSubstr("assets 42\n"));
  EXPECT_EQ(child.wait(), 0);
}

INSTANTIATE_TEST_SUITE_P(Ways, ForkPoint, testing::Bool(),
                         [](const auto& way) { return way.param ? "fork_twice" : "clone"; });

TEST(ForkPointRefuses, WithThreads) {
  Parent parent([] {
    pthread_t thread;
    ::pthread_create(
        &thread, nullptr,
        [](void*) -> void* {
          for (;;) ::pause();
        },
        nullptr);
  });
  const auto heard = hear(parent.channel());
  ASSERT_TRUE(heard && heard->message.has_refused());
  EXPECT_THAT(heard->message.refused().why(), HasSubstr("threads run at the fork point"));
  EXPECT_EQ(parent.wait(), 100 + MUSTER_GS_ERR_THREADS);
}

TEST(ForkPointRefuses, WithoutItsChannel) {
  ::setenv("MUSTER_FORK", "900", 1);
  EXPECT_EQ(muster_gs_fork_point(), MUSTER_GS_ERR_NOT_SUPPORTED);
  ::setenv("MUSTER_FORK", "1x", 1);
  EXPECT_EQ(muster::gs::fork_point(), MUSTER_GS_ERR_NOT_SUPPORTED);
  ::unsetenv("MUSTER_FORK");
}

TEST(ForkPointRefuses, NothingWhenLaunchedPlainly) {
  ::unsetenv("MUSTER_FORK");
  EXPECT_EQ(muster_gs_fork_point(), MUSTER_GS_OK);
  EXPECT_EQ(muster_gs_fork_point(), MUSTER_GS_OK);
}

}  // namespace
