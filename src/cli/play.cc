#include "cli/play.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <muster/client.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "cli/play_command.h"
#include "cli/play_report.h"

namespace muster::cli {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using client::Client;
using client::Event;
using client::EventType;
using client::TicketState;

constexpr int failed = 1;
constexpr int interrupted = 130;
constexpr int first_connections_max = 5;  // Refused so often at first, there is no lobby.
constexpr auto result_time = 2s;          // For the match's end, after the game client's.
constexpr auto farewell_time = 3s;        // For the lobby's answers after Ctrl-C.

/// SIGINT and SIGTERM as something to poll for, while it lives.
class Signals {
 public:
  Signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, &before_);
    fd_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  Signals(const Signals&) = delete;
  ~Signals() {
    take();
    close(fd_);
    sigprocmask(SIG_SETMASK, &before_, nullptr);
  }

  int descriptor() const { return fd_; }
  bool take() {
    signalfd_siginfo info;
    return read(fd_, &info, sizeof info) == sizeof info;
  }

 private:
  sigset_t before_;
  int fd_ = -1;
};

struct Address {
  std::string host;
  std::uint16_t port = 0;
};

/// "host:port" or "[::1]:port".
std::optional<Address> parse_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  Address a{std::string(text.substr(0, colon)), 0};
  if (a.host.size() > 2 && a.host.front() == '[' && a.host.back() == ']')
    a.host = a.host.substr(1, a.host.size() - 2);
  const std::string_view port = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), a.port);
  if (error != std::errc{} || end != port.data() + port.size() || a.port == 0 || a.host.empty())
    return std::nullopt;
  return a;
}

/// One player: what they have heard, and what is next.
class Player {
 public:
  Player(const PlayOptions& options, std::string name, Client client, PlayReport& report,
         std::FILE* err)
      : options_(&options),
        name_(std::move(name)),
        client_(std::move(client)),
        report_(&report),
        err_(err),
        start_(Clock::now()),
        last_(start_) {
    if (options.timeout > 0ms) deadline_ = start_ + options.timeout;
    report_->note(name_, fmt::format("connecting to {} as {}", options.lobby, name_));
    if (const auto status = connect(); status != MUSTER_CLIENT_OK) fail(client::to_string(status));
  }

  bool done() const { return done_; }
  int exit_code() const { return exit_code_; }
  /// Once done: hangs up, so that the lobby need not keep this player while others play on.
  void hang_up() { client_.reset(); }

  /// What to wait for: two descriptors, -1 for none.
  std::array<int, 2> descriptors() const {
    return {static_cast<int>(client_->socket()), child_.descriptor()};
  }
  /// How long step() may wait if neither can be read. Zero: there is something to do.
  Clock::duration within() const {
    Clock::duration longest = 1min;
    if (const auto within = client_->poll_within(); within >= 0ms)
      longest = std::min<Clock::duration>(longest, within);
    if (deadline_) longest = std::min(longest, *deadline_ - Clock::now());
    return std::max(longest, Clock::duration::zero());
  }

  void step() {
    while (!done_) {
      const auto event = client_->poll(0ms);
      if (!event) return finish(failed);
      if (event->type == EventType::none) break;
      hear(*event);
    }
    if (done_) return;
    if (const auto code = child_.ended()) child_ended(*code);
    if (deadline_ && Clock::now() >= *deadline_) late();
  }

  /// Ctrl-C: asks for what is ours to be taken back, and waits a little for the answers.
  void say_farewell() {
    if (done_) return;
    leaving_ = interrupted_ = true;
    exit_code_ = interrupted;
    child_.terminate();
    if (assigned_)
      client_->leave_match();
    else if (!started_ || client_->cancel_match() != MUSTER_CLIENT_OK)
      return finish(interrupted);
    deadline_ = Clock::now() + farewell_time;  // Then without them.
  }

 private:
  void hear(const Event& e) {
    const auto now = Clock::now();
    report_->event(name_, e, now - last_, now - start_);
    last_ = now;
    switch (e.type) {
      case EventType::welcome:
        // An account's player may have been there, from elsewhere.
        if (!e.resumed || start_lost_ || !welcomed_) start_match();
        welcomed_ = true;
        break;
      case EventType::ticket:
        hear_ticket(*e.ticket);
        break;
      case EventType::assignment:
        assigned(*e.assignment);
        break;
      case EventType::match_ended:
        ended(e);
        break;
      case EventType::error:
        refused(e);
        break;
      case EventType::disconnected:
        if (e.final) return finish(failed);
        if (!welcomed_ && ++refusals_ == first_connections_max)
          fail(fmt::format("no lobby answers at {}; is it running?", options_->lobby));
        break;
      case EventType::none:
      case EventType::connected:
      case EventType::rating_changed:
      case EventType::party:
        break;
    }
  }

  client::Status connect() {
    if (options_->password.empty()) return client_->connect_guest(name_);
    return options_->sign_up ? client_->connect_sign_up(name_, options_->password)
                             : client_->connect_account(name_, options_->password);
  }

  void start_match() {
    if (leaving_) return;
    start_lost_ = assigned_ = false;
    const auto status = client_->start_match(options_->queue, {}, options_->seats, &start_request_);
    if (status != MUSTER_CLIENT_OK) return fail(client::to_string(status));
    if (started_) return;  // A new guest after an expired session: the clock runs on.
    started_ = Clock::now();
  }

  void hear_ticket(const client::Ticket& ticket) {
    if (ticket.state == TicketState::offered && !ticket.you_accepted && !leaving_)
      client_->accept_match();
    if (ticket.state == TicketState::cancelled) finish(interrupted_ ? interrupted : failed);
    if (ticket.state == TicketState::expired || ticket.state == TicketState::failed) finish(failed);
  }

  void assigned(const client::Assignment& assignment) {
    const bool again = assigned_ && assignment.match_id == match_id_;  // After a resume.
    if (!waited_ && started_) report_->waited(Clock::now() - *started_);
    waited_ = assigned_ = true;
    match_id_ = assignment.match_id;
    if (leaving_) {
      client_->leave_match();
      return;
    }
    deadline_.reset();
    if (options_->command.empty()) {
      if (options_->once) finish(0);
    } else if (!again) {
      start_command(assignment);
    }
  }

  void start_command(const client::Assignment& assignment) {
    std::vector<std::string> command;
    for (const std::string& word : options_->command) {
      auto filled = expand(word, assignment, client_->player_id(), name_);
      if (!filled) return fail(fmt::format("{}: {}", word, filled.error()));
      command.push_back(std::move(*filled));
    }
    child_ = {};  // One of an earlier match, if its server was lost: it is told to end.
    auto child = Child::start(command);
    if (!child) return fail(child.error());
    child_ = std::move(*child);
  }

  void child_ended(int code) {
    if (code != 0)
      report_->note(name_, fmt::format("{} has ended with {}", options_->command.front(), code));
    if (!interrupted_) exit_code_ = code;
    // The result is usually right behind. If not, the match goes on without us.
    if (assigned_)
      deadline_ = Clock::now() + result_time;
    else if (!requeued_)
      finish(exit_code_);
  }

  void ended(const Event& e) {
    assigned_ = false;
    requeued_ = e.requeued && !leaving_;
    if (requeued_) {
      child_.terminate();  // Its game is gone; another assignment starts another.
      deadline_.reset();
      return;
    }
    if (!child_) return finish(exit_code_);
    if (!leaving_) deadline_.reset();  // The game client says goodbye in its own time.
  }

  void refused(const Event& e) {
    if (e.code == "connection_lost") {
      start_lost_ = start_lost_ || e.request == start_request_;
      return;
    }
    if (leaving_) return finish(exit_code_);
    // What was lost had arrived after all.
    if (e.code == "already_queued" || e.code == "already_in_match") return;
    if (e.request != 0 && e.request == start_request_) finish(failed);
  }

  /// The deadline has passed: of being assigned, of the result, or of the farewell.
  void late() {
    deadline_.reset();
    if (leaving_) return finish(exit_code_);
    if (!assigned_) {
      fail(fmt::format("not assigned within {:.1f} s",
                       std::chrono::duration<double>(options_->timeout).count()));
      client_->cancel_match();
      return;
    }
    leaving_ = true;
    client_->leave_match();
    deadline_ = Clock::now() + farewell_time;
  }

  void fail(std::string_view why) {
    fmt::print(err_, "muster play: {}: {}\n", name_, why);
    finish(failed);
  }

  void finish(int code) {
    done_ = true;
    exit_code_ = code;
  }

  const PlayOptions* options_;
  std::string name_;
  std::optional<Client> client_;  // Until hang_up().
  PlayReport* report_;
  std::FILE* err_;
  Clock::time_point start_;
  Clock::time_point last_;
  std::optional<Clock::time_point> started_;   // Match Start was pressed.
  std::optional<Clock::time_point> deadline_;  // Of whatever is awaited now.
  std::uint32_t start_request_ = 0;
  int refusals_ = 0;
  bool welcomed_ = false;
  bool start_lost_ = false;  // Match Start may not have arrived: press it again.
  bool waited_ = false;
  bool assigned_ = false;
  bool requeued_ = false;
  bool leaving_ = false;      // The last words are said.
  bool interrupted_ = false;  // By Ctrl-C.
  bool done_ = false;
  std::string match_id_;
  Child child_;
  int exit_code_ = 0;
};

bool all_done(const std::vector<std::unique_ptr<Player>>& players) {
  return std::ranges::all_of(players, [](const auto& player) { return player->done(); });
}

}  // namespace

int run_play(const PlayOptions& options, std::FILE* out, std::FILE* err) {
  const auto address = parse_address(options.lobby);
  if (!address) {
    fmt::print(err, "muster play: {}: say HOST:PORT, such as 127.0.0.1:4100\n", options.lobby);
    return failed;
  }
  Signals signals;
  PlayReport report(out, options.json, options.count);
  std::vector<std::unique_ptr<Player>> players;
  for (std::uint32_t i = 1; i <= options.count; ++i) {
    auto client = Client::create(address->host, address->port);
    if (!client) {
      fmt::print(err, "muster play: {}: no address of a lobby\n", options.lobby);
      return failed;
    }
    std::string name = options.count > 1 ? fmt::format("{}-{}", options.name, i) : options.name;
    players.push_back(
        std::make_unique<Player>(options, std::move(name), std::move(*client), report, err));
  }

  bool farewell = false;
  std::vector<pollfd> fds;
  while (!all_done(players)) {
    fds.assign(1, {signals.descriptor(), POLLIN, 0});
    Clock::duration longest = 1min;
    for (const auto& player : players) {
      const auto descriptors = player->done() ? std::array{-1, -1} : player->descriptors();
      for (const int fd : descriptors) fds.push_back({fd, POLLIN, 0});
      if (!player->done()) longest = std::min(longest, player->within());
    }
    const auto timeout = std::chrono::ceil<std::chrono::milliseconds>(longest);
    ::poll(fds.data(), fds.size(), static_cast<int>(timeout.count()));
    if (signals.take()) {
      if (std::exchange(farewell, true)) return interrupted;  // Twice is "now".
      for (const auto& player : players) player->say_farewell();
    }
    for (std::size_t i = 0; i < players.size(); ++i) {
      const bool readable = fds[1 + 2 * i].revents != 0 || fds[2 + 2 * i].revents != 0;
      if (!players[i]->done() && (readable || players[i]->within() == Clock::duration::zero()))
        players[i]->step();
      if (players[i]->done()) players[i]->hang_up();
    }
  }
  report.summary();
  for (const auto& player : players)
    if (player->exit_code() != 0) return player->exit_code();
  return 0;
}

void add_play_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<PlayOptions>();
  const auto seconds = std::make_shared<double>(0);
  const char* const user = std::getenv("USER");
  options->name = user && *user ? user : "player";
  CLI::App* const play = app.add_subcommand(
      "play", "A player from the terminal: connects, presses Match Start, and plays");
  play->add_option("--lobby", options->lobby, "Where the lobby is: HOST:PORT")
      ->capture_default_str();
  play->add_option("--name", options->name, "The player's name")->capture_default_str();
  const auto account = std::make_shared<bool>(false);
  play->add_flag("--account", *account, "Log in; the password is in MUSTER_PASSWORD");
  play->add_flag("--sign-up", options->sign_up, "Make the account of that name first");
  play->add_option("--queue", options->queue, "What to play: the name of a queue")->required();
  play->add_option("--seats", options->seats, "Seats each player takes")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  play->add_option("-n,--count", options->count, "That many players, each with a connection")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  play->add_flag("--json", options->json, "Print events as JSON lines");
  play->add_flag("--once,--exit-on-assignment", options->once,
                 "Exit when assigned, instead of waiting for the match to end");
  play->add_option("--timeout", *seconds, "Seconds to be assigned within; 0: no limit")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  play->add_option("command", options->command,
                   "After --: the game client to start when assigned. {host} {port} {token} "
                   "{match_id} {player_id} {name} {team} {queue} {port.NAME} in it are filled in");
  play->callback([options, seconds, account, &exit_code] {
    if (*account || options->sign_up) {
      const char* const password = std::getenv("MUSTER_PASSWORD");
      if (!password || !*password)
        throw CLI::ValidationError("--account", "needs its password in MUSTER_PASSWORD");
      options->password = password;
    }
    options->timeout =
        std::chrono::round<std::chrono::milliseconds>(std::chrono::duration<double>(*seconds));
    exit_code = run_play(*options, stdout, stderr);
  });
}

}  // namespace muster::cli
