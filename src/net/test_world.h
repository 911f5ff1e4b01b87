#pragma once
// For net's tests: an io_context with a Net on it, a clock that stands still until told, a scripted
// core, and clients, all on one thread. Waiting is for a condition, with a generous deadline.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <chrono>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "net/net.h"
#include "wire/frame.h"
#include "wire/player_message.h"
#include "wire/websocket.h"

namespace muster::net {

/// Runs `io` until `done()`; false after 20 seconds without.
inline bool run_until(boost::asio::io_context& io, const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    io.restart();
    io.run_one_for(std::chrono::milliseconds{2});
  }
  return true;
}

/// A bare TCP client on loopback that never blocks.
class TestClient {
 public:
  TestClient(boost::asio::io_context& io, std::uint16_t port, int receive_buffer = 0) : io_(io) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd_ >= 0, "a descriptor is free");
    if (receive_buffer > 0)
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0, "somebody listens");
    ::fcntl(fd_, F_SETFL, O_NONBLOCK);
  }
  ~TestClient() { close(); }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  /// The other side gets a reset instead of an end.
  void reset() {
    const linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }
  /// Sends all of it, running the io_context meanwhile. False if the other side is gone.
  bool send(std::string_view bytes) {
    bool alive = true;
    CHECK(run_until(io_,
                    [&] {
                      while (alive && !bytes.empty()) {
                        const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
                        if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
                        if (n < 0 && errno == EAGAIN) return false;
                        if (n < 0 && errno != EINTR) alive = false;
                      }
                      return true;
                    }),
          "the lobby takes what is sent");
    return alive;
  }
  /// Sends what the kernel takes at once.
  std::size_t send_some(std::string_view bytes) {
    const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return n > 0 ? static_cast<std::size_t>(n) : 0;
  }
  /// Adds what has come to `received`.
  void receive() {
    char buffer[65536];
    for (;;) {
      const auto n = ::recv(fd_, buffer, sizeof buffer, 0);
      if (n > 0) {
        received.append(buffer, static_cast<std::size_t>(n));
        continue;
      }
      if (n == 0 || (errno != EAGAIN && errno != EINTR)) ended = true;
      if (n == 0 || errno != EINTR) return;
    }
  }
  bool until(const std::function<bool()>& done) {
    return run_until(io_, [&] {
      receive();
      return done();
    });
  }
  bool until_received(std::string_view text) {
    return until([&] { return received.find(text) != std::string::npos; });
  }
  bool until_bytes(std::size_t n) {
    return until([&] { return received.size() >= n; });
  }
  bool until_ended() {
    return until([&] { return ended; });
  }

  std::string received;
  bool ended = false;

 private:
  boost::asio::io_context& io_;
  int fd_ = -1;
};

inline NetOptions test_options() {
  NetOptions options;
  options.listen = "127.0.0.1:0";
  options.sweep_interval = std::chrono::milliseconds{2};
  return options;
}

struct TestWorld {
  explicit TestWorld(NetOptions options = test_options())
      : net(io, finish(std::move(options)), [this](core::Event&& e) { on_event(std::move(e)); }) {
    const auto started = net.start();
    CHECK(started, "loopback has a free port");
  }

  NetOptions finish(NetOptions options) {
    options.now = [this] { return now; };
    options.log = [this](std::string_view line) { log.emplace_back(line); };
    return options;
  }

  void on_event(core::Event&& event) {
    if (const auto* opened = std::get_if<core::SessionOpened>(&event)) last = opened->session;
    events.push_back(event);
    if (react) react(event);
  }
  void say(const core::Effect& effect) {
    net.apply(effect);
    net.flush();
  }
  bool until(const std::function<bool()>& done) { return run_until(io, done); }
  template <class E>
  std::size_t count() const {
    std::size_t n = 0;
    for (const core::Event& event : events) n += std::holds_alternative<E>(event);
    return n;
  }
  template <class E>
  const E* find() const {
    for (const core::Event& event : events)
      if (const E* e = std::get_if<E>(&event)) return e;
    return nullptr;
  }
  template <class E>
  bool until_event(std::size_t n = 1) {
    return until([&] { return count<E>() >= n; });
  }
  /// The names of all events so far, in order.
  std::string names() const {
    std::string out;
    for (const core::Event& event : events) out += std::string(name_of(event)) + " ";
    return out;
  }
  /// Every hello is welcomed as player 7.1.
  void welcome_all() {
    react = [this](const core::Event& event) {
      if (const auto* hello = std::get_if<core::Hello>(&event))
        say(core::SendWelcome{
            hello->session, hello->request, {7, 1}, hello->name, hello->secret, false});
    };
  }
  NetStats stats() const { return net.stats(); }

  boost::asio::io_context io{1};
  Time now{std::chrono::seconds{1'000'000}};
  std::vector<core::Event> events;
  std::vector<std::string> log;
  std::function<void(const core::Event&)> react;
  core::SessionId last;  // The session opened last.
  Net net;
};

// ---- Messages as a client sends them, and as it reads them.

inline wire::player::ClientMessage client_message(const std::string& json) {
  wire::player::ClientMessage message;
  const auto decoded =
      wire::decode(wire::Encoding::json,
                   {reinterpret_cast<const std::uint8_t*>(json.data()), json.size()}, message);
  CHECK(decoded, "a test's own message is well formed");
  return message;
}
inline std::string native(const std::string& json) {
  std::string out;
  wire::append_frame(out, client_message(json));
  return out;
}
inline std::string ws_text(std::string_view json) {
  std::string out;
  wire::append_ws_masked_frame(out, wire::WsOpcode::text, json, 0x12345678);
  return out;
}
inline std::string ws_binary(const std::string& json) {
  std::string payload, out;
  wire::append(wire::Encoding::binary, payload, client_message(json));
  wire::append_ws_masked_frame(out, wire::WsOpcode::binary, payload, 0x12345678);
  return out;
}
inline std::string ws_request(std::string_view protocols = "") {
  std::string out =
      "GET /v1/play HTTP/1.1\r\nHost: lobby\r\nUpgrade: websocket\r\nConnection: keep-alive, "
      "Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  if (!protocols.empty()) out += "Sec-WebSocket-Protocol: " + std::string(protocols) + "\r\n";
  return out + "\r\n";
}

/// The lobby's messages in a stream of native frames, as JSON, one per line.
inline std::string native_messages(std::string_view stream) {
  std::string out;
  wire::FrameReader reader{1u << 24};
  reader.feed({reinterpret_cast<const std::uint8_t*>(stream.data()), stream.size()},
              [&](wire::Bytes payload) {
                wire::player::LobbyMessage message;
                CHECK(wire::decode(wire::Encoding::binary, payload, message),
                      "the lobby sends whole messages");
                wire::append(wire::Encoding::json, out, message);
                out += "\n";
                return true;
              });
  return out;
}
/// What comes in a server's WebSocket frames: texts as they are, "close 1002 reason", "ping".
inline std::string ws_messages(std::string stream) {
  const auto head = stream.find("\r\n\r\n");
  if (head != std::string::npos) stream.erase(0, head + 4);
  std::string out;
  wire::WsReader reader{wire::WsReader::Role::client, 1u << 24};
  std::span<std::uint8_t> bytes(reinterpret_cast<std::uint8_t*>(stream.data()), stream.size());
  wire::WsMessage message;
  while (reader.next(bytes, message) == wire::WsRead::message) {
    const std::string payload(message.payload.begin(), message.payload.end());
    switch (message.opcode) {
      case wire::WsOpcode::text:
        out += payload;
        break;
      case wire::WsOpcode::binary: {
        wire::player::LobbyMessage m;
        CHECK(wire::decode(wire::Encoding::binary, message.payload, m),
              "the lobby sends whole messages");
        wire::append(wire::Encoding::json, out, m);
        break;
      }
      case wire::WsOpcode::close:
        out += "close " + std::to_string(message.close_code) + " " + payload;
        break;
      case wire::WsOpcode::ping:
        out += "ping " + payload;
        break;
      case wire::WsOpcode::pong:
        out += "pong " + payload;
        break;
      case wire::WsOpcode::continuation:
        break;
    }
    out += "\n";
  }
  return out;
}

}  // namespace muster::net
