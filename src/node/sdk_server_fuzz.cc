// What any process on the machine may write to the SDK's endpoint: the first byte says whether the
// launch token is known, and where the rest is cut in two. The node hears of it only what a game
// server with that token may say, and answers every whole request.
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/check.h"
#include "node/sdk_server.h"
#include "proto/game_server.pb.h"
#include "wire/frame.h"

namespace {

using namespace muster;
using namespace muster::node;

class World {
 public:
  World() {
    std::filesystem::create_directories(folder_);
    const auto listening = sdk_.listen_locally(folder_ + "/sdk.sock");
    CHECK(listening, "it listens");
  }
  ~World() { std::filesystem::remove_all(folder_); }

  void run(wire::Bytes first, wire::Bytes second, bool knows_token) {
    wire::node::Launch launch;
    launch.set_server_id("1.1");
    launch.set_fleet("game");
    launch.set_port(9);
    launch.add_command("/bin/true");
    auto entered = servers_.enter(launch, "127.0.0.1:9", "", {});
    CHECK(entered, "the launch is prepared");
    GameServer& server = *entered->server;
    const UniqueFd client = connect();
    if (knows_token) {
      wire::game_server::ServerMessage hello;
      hello.set_request(1);
      hello.mutable_hello()->set_token(server.token);
      std::string bytes;
      wire::append_frame(bytes, hello);
      write(client, {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
    }
    write(client, first);
    turn();
    write(client, second);
    turn();
    CHECK(knows_token || reports_ == 0, "a stranger says nothing to the lobby");
    reports_ = 0;
    sdk_.forget(server);
    servers_.drop(server);
    io_.poll();
  }

 private:
  UniqueFd connect() const {
    UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (folder_ + "/sdk.sock").copy(address.sun_path, sizeof address.sun_path - 1);
    CHECK(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
          "the endpoint is there");
    return client;
  }
  static void write(const UniqueFd& client, wire::Bytes bytes) {
    if (!bytes.empty())
      (void)!::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  void turn() {
    io_.restart();
    while (io_.poll() > 0) {
    }
  }

  const std::string folder_ = "/tmp/muster-sdk-fuzz-" + std::to_string(::getpid());
  boost::asio::io_context io_{1};
  int reports_ = 0;
  NodeRecord record_{io_, folder_ + "/node.record", folder_};
  Supervisor servers_{
      io_,
      {folder_ + "/logs", folder_ + "/servers", folder_ + "/output", 50, 0, {}, "fuzz"},
      record_,
      [](GameServer&, const std::string&) {}};
  SdkServer sdk_{io_, servers_, [this](GameServer& server, wire::node::FromNode&& message) {
                   CHECK(server.id == "1.1", "it speaks for itself");
                   CHECK(!message.has_match_over(), "there was no match");
                   ++reports_;
                 }};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  if (size < 2) return 0;
  const wire::Bytes said(data + 2, size - 2);
  const std::size_t cut = said.size() * data[1] / 256;
  world.run(said.first(cut), said.subspan(cut), data[0] % 2 == 1);
  return 0;
}
