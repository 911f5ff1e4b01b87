#include "node/plain_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "node/bound_ports.h"
#include "node/launch_contract.h"
#include "node/printable.h"

namespace muster::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using wire::node::Ready;

constexpr std::size_t result_bytes_max = 16 << 10;
constexpr std::size_t answer_bytes_shown_max = 60;

// Looked at again after so long, the longer the launch takes the longer: what it costs stays small
// beside what the server needs, and so does what it adds.
constexpr steady_clock::duration look_min = std::chrono::microseconds{250};
constexpr steady_clock::duration look_max = milliseconds{50};
constexpr steady_clock::duration ask_min = milliseconds{1};
constexpr steady_clock::duration ask_max = milliseconds{250};
// A look at every socket of the machine, for a server that is bound to one address only.
constexpr std::uint32_t looks_per_look_everywhere = 8;

std::uint16_t port_of(const std::string& name, const wire::node::Launch& launch) {
  if (name.empty()) return static_cast<std::uint16_t>(launch.port());
  for (const wire::node::Port& port : launch.ports())
    if (port.name() == name) return static_cast<std::uint16_t>(port.port());
  return 0;
}

}  // namespace

std::expected<wire::Pattern, std::string> PatternCache::get(const std::string& text) {
  if (text.empty()) return wire::Pattern();
  const auto known = patterns_.find(text);
  if (known != patterns_.end()) return known->second;
  auto pattern = wire::Pattern::compile(text);
  if (!pattern) return pattern;
  if (patterns_.size() >= patterns_max) patterns_.clear();  // Those in use are kept by their users.
  return patterns_.emplace(text, *pattern).first->second;
}

PlainServer::PlainServer(GameServer& server, const Tools& tools)
    : server_(server),
      tools_(tools),
      ready_query_(tools.io, [this](std::string_view answer) { on_ready_answer(answer); }),
      look_timer_(tools.io.get_executor()),
      note_timer_(tools.io.get_executor()),
      players_query_(tools.io,
                     [this](std::string_view answer) {
                       if (const auto count = wire::players_in(players_question_.expect, answer))
                         players(*count);
                     }),
      players_timer_(tools.io.get_executor()) {}

std::expected<void, std::string> PlainServer::watch(GameServer& server,
                                                    const wire::node::Launch& launch,
                                                    const Tools& tools) {
  const auto plain = make(server, launch, tools);
  if (!plain) return std::unexpected(plain.error());
  (*plain)->wait_until_ready();
  return {};
}

std::expected<void, std::string> PlainServer::watch_again(GameServer& server,
                                                          const wire::node::Launch& launch,
                                                          const Tools& tools,
                                                          std::string_view begun) {
  const auto plain = make(server, launch, tools);
  if (!plain) return std::unexpected(plain.error());
  (*plain)->lines_.begin_with(begun);
  (*plain)->players_ = server.players;
  server.ready ? (*plain)->watch_health() : (*plain)->wait_until_ready();
  if (server.match) (*plain)->match_started();
  return {};
}

std::expected<std::shared_ptr<PlainServer>, std::string> PlainServer::make(
    GameServer& server, const wire::node::Launch& launch, const Tools& tools) {
  const std::shared_ptr<PlainServer> plain(new PlainServer(server, tools));
  if (const auto prepared = plain->prepare(launch); !prepared)
    return std::unexpected(prepared.error());
  server.plain = plain;
  return plain;
}

void PlainServer::wait_until_ready() {
  if (ready_.kind() == Ready::DELAY)
    after(look_timer_, milliseconds{ready_.delay_ms()},
          [](PlainServer& self) { self.become_ready(); });
  else if (ready_.kind() != Ready::LOG)
    look_again();
  note_later();
}

std::expected<void, std::string> PlainServer::prepare(const wire::node::Launch& launch) {
  ready_ = launch.ready();
  transport_ = ready_.kind() == Ready::UDP ? Transport::udp : Transport::tcp;
  ready_port_ = port_of(ready_.has_query() ? ready_.query().port() : ready_.port(), launch);
  if (ready_port_ == 0)
    return std::unexpected(fmt::format("ready: there is no port \"{}\"", ready_.port()));
  if (ready_.has_query()) {
    auto question = prepare(ready_.query(), launch);
    if (!question) return std::unexpected("ready: " + question.error());
    ready_question_ = *std::move(question);
  }
  if (launch.end().has_players()) {
    auto question = prepare(launch.end().players(), launch);
    if (!question) return std::unexpected("end: " + question.error());
    players_question_ = *std::move(question);
    players_interval_ = milliseconds{std::max(launch.end().players_interval_ms(), 100u)};
  }
  const std::pair<const std::string&, wire::Pattern&> patterns[] = {
      {ready_.log(), ready_line_},
      {launch.end().log(), end_line_},
      {launch.end().joined(), joined_line_},
      {launch.end().left(), left_line_}};
  for (const auto& [text, pattern] : patterns) {
    auto compiled = tools_.patterns.get(text);
    if (!compiled) return std::unexpected(compiled.error());
    pattern = *std::move(compiled);
  }
  return {};
}

std::expected<PlainServer::Question, std::string> PlainServer::prepare(
    const wire::node::UdpQuery& query, const wire::node::Launch& launch) {
  Question question{port_of(query.port(), launch), query.send(), {}};
  if (question.port == 0)
    return std::unexpected(fmt::format("there is no port \"{}\"", query.port()));
  if (query.placeholders()) {
    auto request = fill_in(query.send(), launch, server_.context);
    if (!request) return std::unexpected(request.error());
    question.request = *std::move(request);
  }
  auto expect = tools_.patterns.get(query.expect());
  if (!expect) return std::unexpected(expect.error());
  question.expect = *std::move(expect);
  return question;
}

template <class F>
void PlainServer::after(Timer& timer, Clock::duration delay, F f) {
  timer.expires_after(delay);
  timer.async_wait([weak = weak_from_this(), f](boost::system::error_code error) {
    const auto self = weak.lock();
    if (!error && self && !self->gone()) f(*self);
  });
}

// ---- Ready.

void PlainServer::look() {
  if (server_.ready) return;
  const auto bound = find_bound(tools_.diag, server_.process, transport_, ready_port_,
                                ++looks_ % looks_per_look_everywhere == 0);
  if (bound && !bound_at_) bound_at_ = Clock::now();
  if (!bound) bound_at_.reset();
  if (bound && ready_question_.request.empty()) return become_ready();
  if (bound) ready_query_.send(*bound, ready_question_.request);
  look_again();
}

void PlainServer::look_again() {
  const auto wait =
      bound_at_ ? std::clamp(Clock::duration{(Clock::now() - *bound_at_) / 4}, ask_min, ask_max)
                : std::clamp(Clock::duration{elapsed() / 8}, look_min, look_max);
  after(look_timer_, wait, [](PlainServer& self) { self.look(); });
}

void PlainServer::on_ready_answer(std::string_view answer) {
  const bool as_expected = !ready_question_.expect || ready_question_.expect.is_in(answer);
  if (server_.ready) {
    if (as_expected) asked_ = false;
    return;
  }
  if (as_expected) return become_ready();
  any_answer_ = true;
  other_answer_ = printable(answer, answer_bytes_shown_max);
}

void PlainServer::become_ready() {
  if (server_.ready || gone()) return;
  server_.ready = true;
  look_timer_.cancel();
  note_timer_.cancel();
  wire::node::FromNode message;
  message.mutable_ready()->set_server_id(server_.id);
  report(std::move(message));
  watch_health();
}

void PlainServer::watch_health() {
  if (ready_.repeat_ms() > 0)
    after(look_timer_, milliseconds{ready_.repeat_ms()},
          [](PlainServer& self) { self.look_at_health(); });
  else
    ready_query_.close();
}

// Before the lobby's launch_timeout, so that its error can say what was seen; and while it lasts,
// for whoever asks what a server is waiting for.
void PlainServer::note_later() {
  const milliseconds timeout{ready_.launch_timeout_ms()};
  const Clock::duration last = timeout * 9 / 10;
  const Clock::duration now = elapsed();
  if (now >= last) return;
  const auto next = std::min<Clock::duration>(
      last, now + std::clamp<Clock::duration>(
                      now / 2, std::min<Clock::duration>(timeout / 4, seconds{1}), seconds{5}));
  after(note_timer_, next - now, [](PlainServer& self) {
    if (self.server_.ready) return;
    if (std::string text = self.note(); text != self.noted_) {
      self.noted_ = text;
      wire::node::FromNode message;
      message.mutable_noted()->set_server_id(self.server_.id);
      message.mutable_noted()->set_note(std::move(text));
      self.report(std::move(message));
    }
    self.note_later();
  });
}

std::string PlainServer::note() const {
  switch (ready_.kind()) {
    case Ready::LOG: {
      const std::string last = server_.log.last_line();
      return last.empty() ? "it has printed nothing, and ready.log is awaited"
                          : fmt::format(
                                "no line of its output has ready.log in it; the last is "
                                "\"{}\"",
                                last);
    }
    case Ready::DELAY:
      return fmt::format("it is Ready {} ms after its launch", ready_.delay_ms());
    default:
      break;
  }
  if (!bound_at_) return describe_bound(tools_.diag, server_.process, transport_, ready_port_);
  if (any_answer_)
    return fmt::format("on UDP {} it answers \"{}\", which ready.udp does not expect", ready_port_,
                       other_answer_);
  return fmt::format("it has bound UDP {}, and does not answer ready.udp there", ready_port_);
}

// A process that is stopped keeps its sockets: only an answer is a sign of life.
void PlainServer::look_at_health() {
  const auto bound =
      find_bound(tools_.diag, server_.process, transport_, ready_port_, /*everywhere=*/true);
  failures_ = bound && !asked_ ? 0 : failures_ + 1;
  if (failures_ >= std::max(ready_.failures_max(), 1u)) {
    server_.unhealthy = true;
    wire::node::FromNode message;
    message.mutable_unhealthy()->set_server_id(server_.id);
    message.mutable_unhealthy()->set_detail(
        bound ? fmt::format("it has not answered ready.udp {} times in a row", failures_)
              : describe_bound(tools_.diag, server_.process, transport_, ready_port_));
    return report(std::move(message));
  }
  if (bound && !ready_question_.request.empty()) {
    asked_ = true;
    ready_query_.send(*bound, ready_question_.request);
  }
  after(look_timer_, milliseconds{ready_.repeat_ms()},
        [](PlainServer& self) { self.look_at_health(); });
}

// ---- The match.

void PlainServer::match_started() {
  if (!players_question_.request.empty()) ask_for_players();
}

/// It is not told, and can do nothing about it: it stays Ready.
void PlainServer::match_ended(const std::string& match_id) {
  if (!server_.match || server_.match->match_id() != match_id) return;
  server_.match.reset();
  stop_asking_for_players();
}

void PlainServer::stop_asking_for_players() {
  if (players_question_.request.empty()) return;  // Those who joined are there until they left.
  players_timer_.cancel();
  players_query_.close();
  players(0);
}

void PlainServer::ask_for_players() {
  if (!server_.match) return;
  if (const auto bound = find_bound(tools_.diag, server_.process, Transport::udp,
                                    players_question_.port, /*everywhere=*/true))
    players_query_.send(*bound, players_question_.request);
  after(players_timer_, players_interval_, [](PlainServer& self) { self.ask_for_players(); });
}

void PlainServer::players(std::uint32_t count) {
  if (count == players_) return;
  players_ = server_.players = count;
  wire::node::FromNode message;
  message.mutable_players_counted()->set_server_id(server_.id);
  message.mutable_players_counted()->set_players(count);
  report(std::move(message));
}

void PlainServer::on_output(std::string_view bytes) {
  const bool watched = (ready_line_ && !server_.ready) || end_line_ || joined_line_ || left_line_;
  if (watched) lines_.feed(bytes, [this](std::string_view line) { on_line(line); });
}

void PlainServer::on_line(std::string_view line) {
  if (!server_.ready && ready_line_.is_in(line)) become_ready();
  if (joined_line_.is_in(line)) players(players_ + 1);
  if (left_line_.is_in(line) && players_ > 0) players(players_ - 1);
  if (server_.match)
    if (const auto result = end_line_.find(line, "result")) end_match(*result);
}

void PlainServer::end_match(std::string_view result) {
  wire::node::FromNode message;
  message.mutable_match_over()->set_server_id(server_.id);
  message.mutable_match_over()->set_match_id(server_.match->match_id());
  message.mutable_match_over()->set_result(printable(result, result_bytes_max));
  server_.match.reset();  // With the report on record, or neither.
  report(std::move(message));
  stop_asking_for_players();
}

void PlainServer::on_exit() {
  lines_.finish([this](std::string_view line) { on_line(line); });
  for (Timer* timer : {&look_timer_, &note_timer_, &players_timer_}) timer->cancel();
  ready_query_.close();
  players_query_.close();
}

}  // namespace muster::node
