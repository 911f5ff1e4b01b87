#include "bench/players.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <stdexcept>
#include <thread>

#include "bench/process.h"

namespace muster::bench {

using Clock = std::chrono::steady_clock;

Players::Players(std::uint16_t port, Dialect dialect, std::uint32_t count)
    : port_(port), dialect_(dialect), press_bytes_(start_match(dialect, "bench")) {
  add(count);
}

void Players::add(std::uint32_t count) {
  constexpr std::uint32_t in_flight_max = 200;
  const std::uint32_t total = size() + count;
  players_.reserve(total);
  const std::string first = opening(dialect_);
  while (size() < total) {
    const std::uint32_t index = size();
    Player& player = players_.emplace_back();
    player.fd = connect_to_loopback(port_);
    if (player.fd.get() < 0)
      throw std::runtime_error(fmt::format("nobody listens on 127.0.0.1:{}", port_));
    epoll_.add(player.fd.get(), index);
    // The native dialect may begin without waiting; a WebSocket has to be answered first.
    const std::string name = fmt::format("player-{}", index);
    send_all(player.fd.get(), dialect_ == Dialect::native ? first + hello(dialect_, name) : first);
    if (index >= in_flight_max)
      wait_until("welcomes", [&] { return all_.welcomes >= index - in_flight_max; });
  }
  wait_until("welcomes", [&] { return all_.welcomes >= total; });
}

void Players::press(std::uint32_t player) {
  if (!send_all(players_[player].fd.get(), press_bytes_))
    throw std::runtime_error(fmt::format("the lobby closed player {}'s connection", player));
}

void Players::wait_alone(std::uint32_t player) {
  send_all(players_[player].fd.get(), start_alone(dialect_, player));
}

void Players::come_back() {
  const std::string first = opening(dialect_);
  const std::uint32_t welcomes = all_.welcomes;
  came_back_at_ = Clock::now();
  first_back_ = last_back_ = 0;
  for (Player& player : players_) player.fd = {};  // Their ends would be read as the next one's.
  for (std::uint32_t index = 0; index < size(); ++index) {
    Player& player = players_[index];
    player.frames = wire::FrameReader(1u << 20);
    for (;;) {
      player.fd = connect_to_loopback(port_);
      if (player.fd.get() >= 0) break;
      check_interrupted();
      if (Clock::now() > came_back_at_ + std::chrono::seconds(30))
        throw std::runtime_error(fmt::format("nobody listens on 127.0.0.1:{} again", port_));
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    epoll_.add(player.fd.get(), index);
    send_all(player.fd.get(), first + resume(dialect_, player.session_token));
    if (index % 64 == 0)
      epoll_.wait(std::chrono::milliseconds(0),
                  [&](std::uint64_t i) { read_from(static_cast<std::uint32_t>(i)); });
  }
  wait_until("welcomes", [&] { return all_.welcomes >= welcomes + size(); });
}

void Players::welcome(Player& player, std::string_view message) {
  player.session_token = session_token(message);
  if (came_back_at_ == Clock::time_point{}) return;
  last_back_ = std::chrono::duration<double, std::milli>(Clock::now() - came_back_at_).count();
  if (first_back_ == 0) first_back_ = last_back_;
}

void Players::idle_for(std::chrono::milliseconds time) {
  const auto end = Clock::now() + time;
  while (Clock::now() < end) {
    check_interrupted();
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    epoll_.wait(std::min(left, std::chrono::milliseconds(100)),
                [&](std::uint64_t index) { read_from(static_cast<std::uint32_t>(index)); });
  }
}

void Players::serve(Clock::time_point deadline, const char* what) {
  check_interrupted();
  if (Clock::now() > deadline)
    throw std::runtime_error(fmt::format(
        "no {} within 30 s (of {} players: {} welcomes, {} tickets, {} assignments, {} ends)", what,
        size(), all_.welcomes, all_.tickets, all_.assignments, all_.ended));
  epoll_.wait(std::chrono::milliseconds(100),
              [&](std::uint64_t index) { read_from(static_cast<std::uint32_t>(index)); });
}

void Players::read_from(std::uint32_t index) {
  Player& player = players_[index];
  const ssize_t got = ::recv(player.fd.get(), buffer_.data(), buffer_.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0)
    throw std::runtime_error(fmt::format("the lobby closed player {}'s connection", index));
  const std::string_view bytes(buffer_.data(), static_cast<std::size_t>(got));
  if (dialect_ == Dialect::websocket) return take_websocket(index, bytes);
  const wire::Bytes view(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  player.frames.feed(view, [&](wire::Bytes payload) {
    take(index, {reinterpret_cast<const char*>(payload.data()), payload.size()});
    return true;
  });
}

void Players::take_websocket(std::uint32_t index, std::string_view bytes) {
  Player& player = players_[index];
  std::string held;
  if (!player.partial.empty()) {
    held = std::move(player.partial) + std::string(bytes);
    player.partial.clear();
    bytes = held;
  }
  if (!player.open) {
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) {
      player.partial = bytes;
      return;
    }
    if (!bytes.starts_with("HTTP/1.1 101"))
      throw std::runtime_error(fmt::format("no WebSocket: {}", bytes.substr(0, end)));
    player.open = true;
    bytes.remove_prefix(end + 4);
    send_all(player.fd.get(), hello(dialect_, fmt::format("player-{}", index)));
  }
  while (bytes.size() >= 2) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
    const std::size_t header = byte(1) == 126 ? 4 : 2;
    if (byte(1) > 126) throw std::runtime_error("a WebSocket message of 64 KiB or more");
    if (bytes.size() < header) break;
    const std::size_t payload = header == 4 ? std::size_t{byte(2)} << 8 | byte(3) : byte(1);
    if (bytes.size() < header + payload) break;
    const std::string_view message = bytes.substr(header, payload);
    if ((byte(0) & 0x0f) == 0x9) {  // A ping of the WebSocket protocol's own.
      ++player.counts.pings, ++all_.pings;
      send_all(player.fd.get(), websocket_pong(message));
    } else if ((byte(0) & 0x0f) == 0x8) {
      throw std::runtime_error(fmt::format("the lobby closed player {}'s WebSocket", index));
    } else {
      take(index, message);
    }
    bytes.remove_prefix(header + payload);
  }
  player.partial = bytes;
}

void Players::take(std::uint32_t index, std::string_view message) {
  Player& player = players_[index];
  const auto count = [&](std::uint32_t Counts::* member) {
    ++(player.counts.*member), ++(all_.*member);
  };
  switch (kind_of(message)) {
    case Kind::welcome:
      count(&Counts::welcomes);
      welcome(player, message);
      break;
    case Kind::ticket:
      count(&Counts::tickets);
      break;
    case Kind::assignment:
      count(&Counts::assignments);
      break;
    case Kind::match_ended:
      count(&Counts::ended);
      break;
    case Kind::ping:
      count(&Counts::pings);
      send_all(player.fd.get(), pong(dialect_, message));
      break;
    case Kind::error:
      throw std::runtime_error(fmt::format("player {}: {}", index, error_text(message)));
    default:
      break;
  }
  if (on_message) on_message(index, message);
}

double play_match(Players& players) {
  const std::uint32_t tickets = players.of(0).tickets;
  const Counts before = players.all();
  players.press(0);
  players.wait_until("ticket", [&] { return players.of(0).tickets > tickets; });
  const auto pressed = Clock::now();
  players.press(1);
  players.wait_until("assignments",
                     [&] { return players.all().assignments == before.assignments + 2; });
  return std::chrono::duration<double, std::micro>(Clock::now() - pressed).count();
}

Transcript record_match(Players& players) {
  Transcript transcript;
  std::string* const to[2] = {&transcript.first_rest, &transcript.second_all};
  bool assigned[2] = {false, false};
  players.on_message = [&](std::uint32_t player, std::string_view message) {
    if (player > 1 || assigned[player]) return;
    std::string frame;
    for (unsigned shift = 0; shift < 32; shift += 8)
      frame += static_cast<char>(message.size() >> shift);
    const bool on_press = player == 0 && transcript.first_ticket.empty();
    (on_press ? transcript.first_ticket : *to[player]) += frame.append(message);
    assigned[player] = kind_of(message) == Kind::assignment;
  };
  play_match(players);
  players.on_message = nullptr;
  transcript.welcome = sample_transcript().welcome;
  return transcript;
}

}  // namespace muster::bench
