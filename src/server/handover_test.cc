#include "server/handover.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>

#include "store/test_folder.h"

namespace muster::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

int listening_socket() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::listen(fd, 1), 0);
  return fd;
}

std::uint16_t port_of(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  return ntohs(address.sin_port);
}

/// The lobby that runs: a thread, whose end is that of its connections.
class Running {
 public:
  explicit Running(const std::string& data) {
    over_ = std::make_unique<HandOver>(
        io_, data, [this] { return HandOver::Sockets{players_, admin_}; },
        [this] {
          ++left_;
          io_.stop();
        });
    const auto started = over_->start();
    EXPECT_TRUE(started) << started.error();
    thread_ = std::thread([this] {
      io_.run();
      over_.reset();
    });
  }
  ~Running() {
    io_.stop();
    thread_.join();
    ::close(players_), ::close(admin_);
  }
  std::uint16_t players_port() const { return port_of(players_); }
  std::uint16_t admin_port() const { return port_of(admin_); }
  int left() const { return left_; }

 private:
  boost::asio::io_context io_{1};
  int players_ = listening_socket(), admin_ = listening_socket();
  std::atomic<int> left_ = 0;
  std::unique_ptr<HandOver> over_;
  std::thread thread_;
};

TEST(HandOver, TheSocketsComeAndTheOldOneLeaves) {
  const store::TempFolder data;
  const Running running(data.path);
  struct stat status{};
  ASSERT_EQ(::stat((data.path + "/lobby.sock").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u) << "for this user alone";
  int asked = 0;
  auto handed = take_over(data.path, seconds{20}, [&]() -> std::expected<void, std::string> {
    ++asked;
    EXPECT_EQ(running.left(), 0) << "it leaves once the new one can go on";
    return {};
  });
  ASSERT_TRUE(handed) << handed.error();
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(running.left(), 1);
  const int players = handed->take_players(), admin = handed->take_admin();
  EXPECT_EQ(port_of(players), running.players_port());
  EXPECT_EQ(port_of(admin), running.admin_port());
  EXPECT_EQ(handed->take_players(), -1) << "whoever takes one closes it";
  ::close(players), ::close(admin);
  EXPECT_NE(::stat((data.path + "/lobby.sock").c_str(), &status), 0) << "its name is gone";
}

TEST(HandOver, OneThatCannotGoOnLeavesTheOldOneAlone) {
  const store::TempFolder data;
  const Running running(data.path);
  for (int i = 0; i < 3; ++i) {
    const auto handed = take_over(data.path, seconds{20}, []() -> std::expected<void, std::string> {
      return std::unexpected("it cannot read the journal");
    });
    ASSERT_FALSE(handed);
    EXPECT_EQ(handed.error(), "it cannot read the journal");
  }
  EXPECT_EQ(running.left(), 0);
}

TEST(HandOver, WithoutALobbyThereIsNothingToTake) {
  const store::TempFolder data;
  auto handed = take_over(data.path, seconds{20}, []() -> std::expected<void, std::string> {
    ADD_FAILURE() << "nobody is to leave";
    return {};
  });
  ASSERT_TRUE(handed) << handed.error();
  EXPECT_EQ(handed->take_players(), -1);
}

TEST(HandOver, OneThatDoesNotAnswerIsNotWaitedForForEver) {
  const store::TempFolder data;
  const int silent = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = data.path + "/lobby.sock";
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(silent, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(silent, 1), 0);
  const auto handed =
      take_over(data.path, milliseconds{50}, [] { return std::expected<void, std::string>(); });
  ASSERT_FALSE(handed);
  EXPECT_NE(handed.error().find("does not answer"), std::string::npos) << handed.error();
  ::close(silent);
}

}  // namespace
}  // namespace muster::server
