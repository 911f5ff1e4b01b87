#include "server/lobby.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <csignal>
#include <cstdio>
#include <utility>

#include "core/state.h"
#include "server/reload.h"

namespace muster::server {
namespace {

/// How long a join token may be shown: players load maps before they connect.
constexpr std::int64_t join_token_seconds = 300;

net::AllowedFrom to_net(AllowedFrom allowed) {
  switch (allowed) {
    case AllowedFrom::off:
      return net::AllowedFrom::off;
    case AllowedFrom::loopback:
      return net::AllowedFrom::loopback;
    case AllowedFrom::any:
      return net::AllowedFrom::any;
  }
  return net::AllowedFrom::off;
}

std::int64_t unix_seconds(Time time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

}  // namespace

Lobby::Lobby(ServerConfig config, DataFolder data, wire::JoinKey join_key, Recovered recovered,
             std::string program)
    : config_(std::move(config)),
      data_(std::move(data)),
      join_key_(std::move(join_key)),
      returning_(recovered.number > 0),
      left_at_(recovered.time),
      loop_(io_, std::move(recovered.core), recovered.number, recovered.time),
      journal_(io_, {config_.journal, data_.path() + "/journal", digest_of(config_.core)},
               [this] {
                 return JournalKeeper::Moment{loop_.core(), loop_.events(), loop_.turn_time()};
               }),
      ledger_(io_, loop_),
      net_(io_, net_options(), [this](core::Event&& event) { loop_.post(std::move(event)); }),
      node_(
          io_,
          {.data = data_.path(),
           .program = std::move(program),
           .host = config_.host,
           .join_public_key = join_key_.public_key()},
          [this](core::Event&& event) { loop_.post(std::move(event)); },
          [this](core::SessionId session) { return net_.ends_of(session); },
          [this] {
            std::vector<net::HeardReports> heard;
            for (const auto& node : loop_.core().state().nodes)
              heard.push_back({node->run, node->reported});
            return heard;
          }),
      admin_ledger_(loop_, ledger_),
      admin_(loop_,
             {.stop = [this](bool keep_servers) { stop(!keep_servers); },
              .reload = [this] { return reload(); }},
             journal_.status(), ledger_.status(), &admin_ledger_),
      admin_http_(io_, config_.admin,
                  [this](const net::HttpRequest& request, net::HttpAnswer answer) {
                    admin_.handle(request, std::move(answer));
                  }),
      hand_over_(
          io_, data_.path(),
          [this] {
            return HandOver::Sockets{net_.listening_socket(), admin_http_.listening_socket()};
          },
          [this] { stop(false); }),
      signals_(io_, SIGINT, SIGTERM, SIGHUP),
      leaving_(io_) {
  loop_.connect(
      {.record = [this](std::uint64_t number, Time time,
                        const core::Event& event) { journal_.record(number, time, event); },
       .commit = [this] { journal_.commit(); },
       .watch =
           [this](Time now, const core::Event& event, std::span<const core::Effect> effects) {
             if (recorder_) recorder_->watch(now, event, effects, loop_.core().state());
           },
       .apply =
           [this](const core::Effect& effect) {
             if (!net_.apply(effect) && !ledger_.apply(effect)) node_.apply(effect);
           },
       .flush =
           [this] {
             // The game server first: it should know who comes before they do.
             node_.flush();
             net_.flush();
             if (recorder_) recorder_->flush();
           },
       .work_when_idle = [this] { return prepare_join_tokens(); }});
  node_.prepare_forks(config_.core);
}

Lobby::~Lobby() = default;

net::NetOptions Lobby::net_options() {
  net::NetOptions options;
  options.listen = config_.listen;
  options.classic = to_net(config_.classic);
  options.classic_guests = config_.classic_guests;
  options.logins = to_net(config_.logins);
  options.accounts = [this](net::AccountRequest request,
                            std::function<void(net::AccountReply)> done) {
    ledger_.check_account(std::move(request), std::move(done));
  };
  options.sign_join_token = [this](const core::SendAssignment& a) { return sign(a); };
  const NetLimits& limits = config_.limits;
  options.sessions_max = config_.core.sessions_max;
  options.message_bytes_max = limits.message_bytes_max;
  options.outbound_bytes_max = limits.outbound_bytes_max;
  options.messages_per_second = limits.messages_per_second;
  options.messages_burst = 2 * limits.messages_per_second;
  options.hello_timeout = limits.hello_timeout;
  options.frame_timeout = limits.frame_timeout;
  options.ping_interval = limits.ping_interval;
  options.silence_timeout = limits.silence_timeout;
  return options;
}

std::expected<void, std::string> Lobby::start(HandedSockets handed) {
  if (const auto opened = ledger_.open(data_.path() + "/accounts.db"); !opened) return opened;
  if (const auto journaling = journal_.start(); !journaling) return journaling;
  if (returning_) {
    loop_.post(core::LobbyStarted{loop_.now() - left_at_});
    // The state goes on with the configuration it had; a file that has changed since is a reload.
    if (digest_of(config_.core) != digest_of(loop_.core().state().config))
      loop_.post(core::ConfigReloaded{std::make_shared<const core::Config>(config_.core)});
    ledger_.refresh();
  }
  if (const auto listening = net_.start(handed.take_players()); !listening) return listening;
  if (const auto listening = admin_http_.start(handed.take_admin()); !listening) return listening;
  if (const auto listening = hand_over_.start(); !listening) return listening;
  node_.start();
  wait_for_signal();
  return {};
}

int Lobby::run() {
  loop_.run();
  journal_.finish();
  return 0;
}

void Lobby::wait_for_signal() {
  signals_.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    if (signal == SIGHUP) {
      static_cast<void>(reload());  // It has said what is wrong.
      return wait_for_signal();
    }
    if (stopping_)
      stop_at_once();
    else
      stop(signal == SIGINT);
    wait_for_signal();
  });
}

void Lobby::stop(bool stop_servers) {
  if (stopping_) return;
  stopping_ = true;
  loop_.post(core::LobbyStopping{stop_servers});
  net_.stop();
  if (!stop_servers) {
    boost::asio::post(io_, [this] { leave(); });  // After this turn's effects.
    return;
  }
  Duration grace{};
  for (const core::FleetConfig& fleet : config_.core.fleets)
    grace = std::max(grace, fleet.stop_grace);
  node_.stop_node(grace);
  leave_at_ = loop_.now() + grace + std::chrono::seconds{5};
  wait_for_node_to_leave();
}

void Lobby::stop_at_once() {
  if (leave_at_ == Time{} || hurried_) return loop_.stop();  // Servers stay, or asked a third time.
  hurried_ = true;
  node_.stop_node(Duration::zero());
  leave_at_ = loop_.now() + std::chrono::seconds{5};
}

ReloadResult Lobby::reload() {
  ConfigResult next = reload_config(config_);
  const std::vector<ConfigProblem>& problems = next ? next->warnings : next.error();
  for (const ConfigProblem& problem : problems) fmt::print(stderr, "{}\n", to_string(problem));
  fmt::print(stderr, "muster: {} {}\n", config_.file.string(),
             next ? "was read again" : "was not accepted; nothing has changed");
  if (!next) return std::unexpected(std::move(next.error()));
  config_ = std::move(*next);
  loop_.post(core::ConfigReloaded{std::make_shared<const core::Config>(config_.core)});
  node_.prepare_forks(config_.core);
  return config_.warnings;
}

void Lobby::wait_for_node_to_leave() {
  if (node_.stopped() || loop_.now() >= leave_at_) return leave();
  leaving_.expires_after(std::chrono::milliseconds{5});
  leaving_.async_wait([this](const boost::system::error_code& error) {
    if (!error) wait_for_node_to_leave();
  });
}

void Lobby::leave() {
  net_.close_all(core::Error::lobby_stopping);
  loop_.stop();
}

/// As many as there are players, who could all be assigned at once, and some for those who come.
bool Lobby::prepare_join_tokens() {
  constexpr std::size_t spare = 64;
  if (join_key_.coupons() >= loop_.core().state().players.size() + spare) return false;
  return !join_key_.prepare(1);
}

std::string Lobby::sign(const core::SendAssignment& a) {
  const std::int64_t now = unix_seconds(loop_.now());
  return join_key_.sign({.player = to_string(a.player),
                         .name = a.player_name,
                         .match = to_string(a.match),
                         .server = to_string(a.server),
                         .team = a.team,
                         .seats = a.seats,
                         .issued_at = now,
                         .expires_at = now + join_token_seconds,
                         .match_started_ms = to_unix_milliseconds(a.started)});
}

}  // namespace muster::server
