// Bytes become a history of events for a small lobby: ids are those seen so far, live or stale, and
// now and then one made up. Laws: the invariants hold after every step; effects reach only sessions
// that are open and nodes that are linked; no ticket has two ends; a ticket's end comes in time;
// and the same history leads to the same digest.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "base/check.h"
#include "core/core.h"
#include "core/invariants.h"
#include "core/match_reference.h"
#include "core/match_regions.h"
#include "core/rule_matcher.h"
#include "core/state.h"

namespace muster::core {
namespace {

/// What is left of the input; zeros when it is used up.
class Bytes {
 public:
  explicit Bytes(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  bool empty() const { return bytes_.empty(); }
  std::uint8_t next() {
    if (bytes_.empty()) return 0;
    const std::uint8_t byte = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return byte;
  }
  std::uint32_t below(std::uint32_t bound) { return next() % bound; }
  bool flip() { return next() & 1; }

 private:
  std::span<const std::uint8_t> bytes_;
};

Config config_of(Bytes& bytes) {
  const std::uint8_t shape = bytes.next();
  Config config;
  config.players_max = 6;
  config.attributes_max = 1;
  config.resume_grace = shape & 1 ? seconds{20} : Duration::zero();
  config.classic_queue = shape & 2 ? "arena" : "";
  FleetConfig duel;
  duel.name = "duel";
  duel.command = {"duel"};
  duel.ports = {7000, 7003};
  duel.servers_max = 3;
  duel.launch_timeout = seconds{5};
  duel.launch_attempts_max = shape & 4 ? 2 : 1;
  duel.ready_min = shape & 8 ? 1 : 0;
  duel.after_match = shape & 16 ? AfterMatch::exit : AfterMatch::reuse;
  duel.match_timeout = shape & 32 ? seconds{40} : Duration::zero();
  duel.idle_timeout = shape & 64 ? seconds{30} : Duration::zero();
  duel.named_ports = {{"query", {27000, 27002}, 0, {}}};
  // An Agones one may do all that Muster's own may, and more.
  duel.sdk = shape & 32 ? SdkKind::none : SdkKind::agones;
  duel.end.idle = seconds{10};
  duel.end.first_player_timeout = shape & 1 ? seconds{20} : Duration::zero();
  FleetConfig arena = duel;
  arena.name = "arena";
  arena.ports = {4000, 4003};
  arena.named_ports = {{"query", {}, 1, {}}};
  arena.sdk = SdkKind::classic;
  arena.ready_min = shape & 128 ? 1 : 0;
  config.fleets = {duel, arena};
  QueueConfig queue;
  queue.ticket_timeout = seconds{60};
  queue.name = "duel", queue.fleet = 0, queue.players = 2, queue.teams = 2;
  config.queues.push_back(queue);
  queue.accept_timeout = shape & 2 ? seconds{8} : Duration::zero();
  queue.name = "five", queue.players = 5, queue.requeue_on_server_lost = true;
  config.queues.push_back(queue);
  config.results_outstanding_max = 2;
  config.queues.front().rating.system = RatingSystem::elo;
  config.queues.front().accounts_only = shape & 64;
  queue.name = "arena", queue.fleet = 1, queue.players = 3, queue.teams = 3;
  config.queues.push_back(queue);
  queue.name = "ranked", queue.fleet = 0, queue.players = 3, queue.teams = 2;
  queue.rating_distance = 100;
  queue.rules.push_back({"mode", "mode", RuleKind::any_of, {"a", "b"}, 0});
  queue.widen = {{"rating_distance", seconds{5}, 200}, {"rating_distance", seconds{15}, 1000}};
  if (shape & 2) {
    queue.avoid_recent = 1;
    queue.widen.push_back({"avoid_recent", seconds{20}, 0});
  }
  if (shape & 4) {
    queue.region = {{"eu", 0}, {"us", 1}};
    queue.latency_max = 80;
    queue.latency_default = shape & 8 ? std::optional(60u) : std::nullopt;
    queue.widen.push_back({"latency_max", seconds{7}, 150});
  }
  config.queues.push_back(queue);
  return config;
}

/// The world around the core: says what an adapter might say, and checks what it is asked for.
class World {
 public:
  explicit World(Bytes bytes) : bytes_(bytes), config_(config_of(bytes_)), core_(config_) {}

  void run() {
    begin();
    while (!bytes_.empty()) {
      const std::uint32_t pause = bytes_.below(32);
      if (pause == 31)
        wait(seconds{1 + bytes_.below(30)});
      else
        now_ += milliseconds{pause};
      step(event());
    }
    check_end();
    Core other(config_);
    Effects effects;
    for (const auto& [event, time] : history_) other.step(event, time, effects);
    CHECK(other.digest() == core_.digest(), "the same history leads to the same state");
  }

 private:
  /// Where most histories begin: players are there, one of them classic, and a node without
  /// servers.
  void begin() {
    step(NodeConnected{link_, "box", "127.0.0.1", {}, {}});
    for (std::uint32_t slot = 0; slot < 6; ++slot) {
      open_[slot] = true;
      generations_[slot] = 1;
      step(SessionOpened{{slot, 1}, slot != 5});
      step(Hello{{slot, 1}, 1, "ann", {static_cast<std::uint8_t>(slot)}});
    }
  }

  void step(const Event& event) {
    const auto& nodes = core_.state().nodes;
    linked_before_ = nodes.empty() ? NodeId{} : nodes.front()->link;  // For what was due before.
    Effects effects;
    core_.step(event, now_, effects);
    check_invariants(core_.state());
    check_ranked();
    history_.emplace_back(event, now_);
    for (const Effect& effect : effects) std::visit([&](const auto& e) { see(e); }, effect);
    // Only now: what fell due before may still have been sent to it.
    if (const auto* closed = std::get_if<SessionClosed>(&event))
      open_[closed->session.slot] = false;
  }

  /// Nobody waits who could play, by the slow way.
  void check_ranked() {
    const State& state = core_.state();
    QueueIndex ranked = 0;
    while (ranked < state.queues.size() && state.config.queues[ranked].name != "ranked") ++ranked;
    if (ranked == state.queues.size() || state.queues[ranked].removed || draining(state, ranked))
      return;
    std::vector<WaitingTicket> waiting;
    state.tickets.for_each([&](TicketId, const Ticket& ticket) {
      if (ticket.queue == ranked && ticket.state == TicketState::queued && !ticket.held)
        waiting.push_back(*state.queues[ranked].matcher->find(ticket.place));
    });
    const auto& regions = state.config.queues[ranked].region;
    for (std::size_t i = 0; i < regions.size(); ++i)
      if (state.fleets[regions[i].fleet].draining)
        for (WaitingTicket& ticket : waiting) ticket.latency[i] = latency_unknown;
    CHECK(reference_match(state.config.queues[ranked], waiting, now_).empty(),
          "a ticket that can be matched is matched by the event that made it possible");
  }

  void wait(Duration duration) {
    const Time until = now_ + duration;
    while (const auto due = core_.next_deadline()) {
      if (*due > until) break;
      now_ = std::max(now_, *due);
      step(DeadlineReached{});
      CHECK(++deadlines_ < 100'000, "deadlines do not set each other for ever");
    }
    now_ = until;
  }

  /// Without any event but time, every ticket comes to its end.
  void check_end() {
    wait(std::chrono::hours{1});
    CHECK(core_.state().tickets.empty(), "no ticket waits for ever");
    core_.state().servers.for_each([&](ServerId, const Server& server) {
      CHECK(server.state != ServerState::starting || now_ - server.since <= seconds{5},
            "no server stays Starting past its deadline");
    });
  }

  // ---- Ids: of those seen, or made up.

  template <class IdType>
  IdType any(const std::vector<IdType>& seen) {
    const std::uint8_t pick = bytes_.next();
    if (seen.empty() || pick >= 240) return IdType{pick & 3u, 1 + bytes_.below(3)};
    return seen[seen.size() - 1 - std::min<std::size_t>(pick % 8, seen.size() - 1)];
  }
  template <class IdType>
  static void remember(std::vector<IdType>& seen, IdType id) {
    if (std::find(seen.begin(), seen.end(), id) == seen.end()) seen.push_back(id);
  }
  SessionId session() {
    const std::uint32_t slot = bytes_.below(8);
    const std::uint32_t generation = generations_[slot];
    return {slot, generation == 0 ? 1 : generation};
  }
  ServerId server() { return any(servers_); }
  /// Mostly one in that state.
  ServerId server(ServerState state) {
    std::vector<ServerId> found;
    core_.state().servers.for_each([&](ServerId id, const Server& server) {
      if (server.state == state) found.push_back(id);
    });
    return found.empty() || bytes_.below(8) == 0 ? server() : found[bytes_.next() % found.size()];
  }
  MatchId match_of(ServerId id) {
    const Server* found = core_.state().servers.find(id);
    if (bytes_.below(8) == 0 || !found) return any(matches_);
    const Match* match = core_.state().matches.find(found->match);
    return match && match->known_as ? match->known_as : found->match;
  }

  // ---- Events.

  Event event() {
    switch (bytes_.below(32)) {
      case 0:
      case 1:
        return open_or_close();
      case 2:
      case 3:
        return hello();
      case 4:
      case 5: {
        const PlayerId player = any(players_);
        Secret secret = secrets_[player];
        if (bytes_.below(8) == 0) secret[0] ^= 1;
        return ResumeSession{session(), 2, player, secret};
      }
      case 6:
        return CancelMatch{session(), 4};
      case 7:
        return LeaveMatch{session(), 5};
      case 8:
      case 9:
        return classic_login();
      case 10:
      case 11:
        if (!asked_.empty() && bytes_.below(8)) {
          const auto [asker, asked] = asked_[asked_.size() - 1 - bytes_.next() % asked_.size()];
          return OwnerVerified{asker, asked, bytes_.below(4) != 0, "why"};
        }
        return OwnerVerified{session(), server(), false, "why"};
      case 12:
        return ClassicServerReset{session()};
      case 13:
        return bytes_.below(3) == 0 ? node_connected()
                                    : NodeLost{bytes_.below(4) ? link_ : any(links_)};
      case 14:
        return ServerLaunched{server(), 1u + bytes_.next(), bytes_.flip()};
      case 15:
        return launch_failed();
      case 16:
      case 17:
        return ServerReady{server(ServerState::starting)};
      case 18:
        return exited(server());
      case 19:
        return exited(server(ServerState::shutdown));
      case 20:
        if (bytes_.flip()) return ServerUnhealthy{server(), "why"};
        if (bytes_.flip()) return ServerNoted{server(ServerState::starting), "it waits"};
        return PlayersCounted{server(ServerState::allocated), bytes_.below(3)};
      case 21:
        if (bytes_.flip()) return PlayerJoined{server(ServerState::allocated), any(players_)};
        return PlayerLeft{server(ServerState::allocated), any(players_)};
      case 22:
      case 23: {
        const ServerId id = server(ServerState::allocated);
        return MatchOver{id, match_of(id), "result", standings(id)};
      }
      case 24:
        switch (bytes_.below(4)) {
          case 0:
            return ServerAllocated{server()};
          case 1: {
            const ServerId id = server();
            return ServerReserved{id, bytes_.flip() ? match_of(id) : MatchId{}, "result"};
          }
          case 2:
            return ServerReady{server(ServerState::reserved)};
          default:
            return ShutdownRequested{server(), "result"};
        }
      case 25:
        return StopServerCommand{server()};
      case 26:
        if (bytes_.below(8) == 0) return LobbyStopping{bytes_.flip()};
        if (bytes_.flip())
          return SetRating{any(players_), "ranked", static_cast<Rating>(8 * bytes_.next())};
        if (bytes_.flip()) return of_the_recorder();
        if (bytes_.flip()) return of_a_party();
        return DeadlineReached{};
      case 27:
        return bytes_.below(8) == 0 ? fork_parent_changed() : order();
      default:
        return start_match();
    }
  }

  Event hello() {
    Hello e{session(), 1, bytes_.below(8) ? "ann" : "", {bytes_.next()}};
    e.account = bytes_.below(4);  // 0 is a guest.
    if (e.account == 2) e.ratings = {{"ranked", 1700, 50}, {"chess", 1, 1}};
    return e;
  }

  /// Mostly good ones.
  std::vector<Standing> standings(ServerId id) {
    const std::uint8_t shape = bytes_.next();
    const Server* found = core_.state().servers.find(id);
    const Match* match = found ? core_.state().matches.find(found->match) : nullptr;
    std::vector<Standing> out;
    if (!match || !match->roster || shape % 8 == 7) return out;
    for (const RosterEntry& entry : *match->roster)
      out.push_back(
          {shape & 8 ? entry.player : PlayerId{}, entry.team, 1 + (shape & 16 ? 0 : entry.team)});
    if (shape >= 240) out.push_back({any(players_), shape % 3u, shape % 2u});
    return out;
  }

  Event of_the_recorder() {
    const AccountRating rating{bytes_.below(4), 1516, 40, 16};
    const auto& results = core_.state().results;
    switch (bytes_.below(4)) {
      case 0:
        return AccountBanned{rating.account};
      case 1:
        return RatingsChanged{bytes_.flip() ? "ranked" : "chess", {rating}};
      default:
        return ResultRecorded{results.empty() ? bytes_.next() : results.begin()->first, {rating}};
    }
  }

  Event launch_failed() {
    LaunchFailed e{server(ServerState::starting), static_cast<LaunchError>(bytes_.below(3)), "why"};
    const Server* starting = core_.state().servers.find(e.server);
    if (starting && !starting->named_ports.empty() && bytes_.flip())
      e.port = starting->named_ports.front().port;
    return e;
  }

  /// Of an operator.
  Event order() {
    static const char* const fleets[] = {"duel", "arena", "extra", "chess"};
    switch (bytes_.below(8)) {
      case 0:
        return ClearFleet{fleets[bytes_.below(4)]};
      case 1:
        return DrainNode{"box", bytes_.flip()};
      case 2:
        return DrainServer{server(), bytes_.flip()};
      case 3:
      case 4:
        return DrainFleet{fleets[bytes_.below(4)], bytes_.flip()};
      default:
        return reload();
    }
  }

  /// Other commands, limits and sizes; fleets and queues that come and go; a port that changes
  /// hands.
  Event reload() {
    auto config = std::make_shared<Config>(config_of(bytes_));
    FleetConfig& duel = config->fleets[0];
    const std::uint8_t shape = bytes_.next();
    if (shape & 1) duel.command = {"duel2"};
    if (shape & 2) duel.ports.last = 7001, duel.servers_max = 2;
    if (shape & 4) duel.ready_max = 1;
    if (shape & 8) duel.scale_to_zero_after = seconds{15};
    if (shape & 16) config->queues[0].players = 1, config->queues[0].teams = 1;
    if (shape & 32) config->queues.erase(config->queues.begin() + 1);
    if (shape & 4) config->queues.back().rating_distance = 10, config->queues.back().widen.clear();
    if (shape & 8) config->queues.back().rules.clear(), config->queues.back().players = 2;
    if (shape & 64) {  // Without "arena"; or with "extra" in its place, and one port of duel's.
      config->fleets.pop_back();
      std::erase_if(config->queues, [](const QueueConfig& q) { return q.name == "arena"; });
      FleetConfig extra = config->fleets[0];
      extra.name = "extra";
      extra.ports = {7002, 7003};
      extra.named_ports.clear();  // No port is in two fleets.
      if (shape & 2) config->fleets.insert(config->fleets.begin(), extra);
      if (shape & 2)
        for (QueueConfig& queue : config->queues) queue.fleet = shape & 128 ? 1 : 0;
    }
    return ConfigReloaded{std::move(config)};
  }

  Event fork_parent_changed() {
    return ForkParentChanged{bytes_.flip() ? "duel" : "chess",
                             static_cast<ForkParentState>(bytes_.below(3)), bytes_.next(),
                             bytes_.flip() ? "why" : ""};
  }

  Event exited(ServerId id) {
    const auto code = static_cast<std::int32_t>(bytes_.below(2));
    const std::uint32_t how = bytes_.below(3);
    return ServerExited{id, code, how != 0 ? 0 : 9, "last line", {}, {}, code == 1 && how == 1};
  }

  Event of_a_party() {
    switch (bytes_.below(8)) {
      case 0:
        return CreateParty{session(), 4, bytes_.flip() ? "ABCDEFGH" : "22222222"};
      case 1:
      case 2:
        return JoinParty{session(), 4, bytes_.below(8) ? "ABCDEFGH" : "33333333"};
      case 3:
        return bytes_.below(4) ? Event(SetPartyAttributes{session(), 4, {{"mode", "a"}}})
                               : Event(LeaveParty{session(), 4});
      case 4:
        return KickFromParty{session(), 4, any(players_)};
      case 5:
        return PromoteInParty{session(), 4, any(players_)};
      case 6:
        return bytes_.below(4) ? Event(AcceptMatch{session(), 4})
                               : Event(DeclineMatch{session(), 4});
      default:
        return AcceptMatch{session(), 4};
    }
  }

  Event classic_login() {
    const Server* starting = core_.state().servers.find(server(ServerState::starting));
    const auto made_up = static_cast<std::uint16_t>(4000 + bytes_.below(3));
    return ClassicServerLogin{session(), starting ? starting->port : made_up};
  }

  Event open_or_close() {
    const std::uint32_t slot = bytes_.below(8);
    if (open_[slot]) return SessionClosed{{slot, generations_[slot]}};
    open_[slot] = true;
    return SessionOpened{{slot, ++generations_[slot]}, bytes_.below(4) != 0};
  }

  Event start_match() {
    static const char* const queues[] = {"duel", "five", "arena", "", "chess", "ranked", "ranked"};
    StartMatch e{session(), 3, queues[bytes_.below(7)], 1, {}};
    const std::uint8_t shape = bytes_.next();
    e.seats = shape < 160 ? 1 : static_cast<std::int32_t>(shape % 8) - 1;
    e.attributes.resize(shape % 32 == 31 ? 2 : shape % 2, {"skill", 1.5});
    if (e.queue == "ranked" && shape % 32 != 31)
      e.attributes = {{"mode", std::string(shape % 2 ? "a" : "b")}};
    if (e.queue == "ranked" && shape % 16 == 7)
      e.attributes = {{"mode", std::vector<std::string>{"a", "b"}}};
    if (shape % 8 == 5) e.blocked = {PlayerId{shape % 6u, 1}};
    if (e.queue == "ranked" && shape % 4 != 0)
      e.latency = {{"eu", shape * 2u}, {"us", shape % 64 == 1 ? 70'000 : 200u - shape % 128}};
    return e;
  }

  Event node_connected() {
    link_ = {0, static_cast<std::uint32_t>(links_.size() + 1)};
    links_.push_back(link_);
    NodeConnected e{link_, "box", "127.0.0.1", {}, {}};
    e.run = bytes_.below(4) ? "one" : "two";
    e.reported = bytes_.below(8);
    // Mostly what it was running, as it was; some gone, some changed, some never heard of.
    core_.state().servers.for_each([&](ServerId id, const Server& server) {
      const std::uint8_t shape = bytes_.next();
      if (shape >= 128) return;
      ServerReport report{id,
                          core_.state().config.fleets[server.fleet].name,
                          server.port,
                          server.pid,
                          server.state != ServerState::starting,
                          {},
                          server.version};
      report.ports = server.named_ports;
      report.players = server.players;
      if (shape & 1) report.match = server.match;
      if (shape & 2) report.ready = !report.ready;
      report.reserved = server.state == ServerState::reserved && (shape & 2) == 0;
      report.allocated = holds_itself(server) && !report.reserved && (shape & 2) == 0;
      if (shape & 32) report.ports.clear();
      if (shape & 64) report.players = 1;
      if ((shape & 28) == 28) report.port = static_cast<std::uint16_t>(report.port + 1);
      e.servers.push_back(report);
    });
    for (std::uint32_t more = bytes_.below(4) % 3; more > 0; --more) {
      const std::uint8_t shape = bytes_.next();
      ServerReport report{any(servers_),
                          shape & 1 ? "duel" : "arena",
                          static_cast<std::uint16_t>((shape & 1 ? 7000 : 4000) + shape / 64),
                          7,
                          (shape & 2) != 0,
                          {}};
      if (shape & 4) report.match = any(matches_);
      if (shape & 8) {
        const int query = shape & 1 ? 27000 + shape / 16 % 3 : report.port + 1;
        report.ports = {{"query", static_cast<std::uint16_t>(query)}};
      }
      remember(servers_, report.server);
      e.servers.push_back(report);
    }
    return e;
  }

  // ---- Effects.

  void check_open(SessionId id) {
    CHECK(id.slot < 8 && open_[id.slot] && generations_[id.slot] == id.generation,
          "what is sent to a session finds it open");
  }
  void check_linked(NodeId id) {
    bool linked = !id;  // Without a link it is dropped, and sent again when the node is back.
    linked |= id == linked_before_;
    for (const auto& node : core_.state().nodes) linked |= node->link == id;
    CHECK(linked, "what is sent to a node finds it linked");
  }
  void see(const SendWelcome& e) {
    check_open(e.session);
    remember(players_, e.player);
    secrets_[e.player] = e.secret;
  }
  void see(const SendError& e) {
    check_open(e.session);
    CHECK(e.error != Error::none, "an error says which");
  }
  void see(const SendTicket& e) {
    check_open(e.session);
    CHECK(!ended_.contains({e.ticket, e.session}), "a ticket that has ended is not heard of again");
    CHECK(e.players <= e.players_needed, "no more are gathered than needed");
    CHECK(!e.wait || (e.wait->low <= e.wait->median && e.wait->median <= e.wait->high),
          "an estimate lies within its spread");
    if (e.state == TicketState::cancelled || e.state == TicketState::expired ||
        e.state == TicketState::failed)
      ended_.insert({e.ticket, e.session});
    if (e.state == TicketState::offered)
      CHECK(e.accepted < e.accepts_needed, "what all have accepted is no offer any more");
  }
  void see(const SendParty& e) {
    check_open(e.session);
    CHECK(static_cast<bool>(e.party) == !e.members.empty(), "a party has somebody in it");
  }
  void see(const SendAssignment& e) {
    check_open(e.session);
    CHECK(e.port != 0 && !e.host.empty(), "an assignment says where to go");
    if (e.ticket) CHECK(ended_.insert({e.ticket, e.session}).second, "a ticket ends once");
  }
  void see(const SendMatchEnded& e) { check_open(e.session); }
  void see(const SendServerLoginOk& e) { check_open(e.session); }
  void see(const CloseSession& e) { check_open(e.session); }
  void see(const LaunchServer& e) {
    CHECK(e.node, "a launch has a node");
    check_linked(e.node);
    remember(servers_, e.server);
  }
  void see(const StopServer& e) { check_linked(e.node); }
  void see(const StartServerMatch& e) {
    CHECK(e.node && e.roster && !e.roster->empty(), "a match has players, and somebody to tell");
    check_linked(e.node);
    remember(matches_, e.match);
  }
  void see(const RemoveServerPlayer& e) { check_linked(e.node); }
  void see(const EndServerMatch& e) { check_linked(e.node); }
  void see(const AcknowledgeReports& e) {
    check_linked(e.node);
    CHECK(e.number > 0, "there is something to acknowledge");
  }
  void see(const RecordResult& e) {
    CHECK(e.result && !e.result->players.empty(), "a result has players");
    CHECK(recorded_.insert({e.result->match, e.result->started}).second, "a match has one result");
  }
  void see(const SendRating& e) { check_open(e.session); }
  void see(const VerifyOwner& e) {
    check_open(e.session);
    asked_.emplace_back(e.session, e.server);
  }

  Bytes bytes_;
  Config config_;
  Core core_;
  Time now_{};
  int deadlines_ = 0;
  std::vector<std::pair<Event, Time>> history_;
  bool open_[8] = {};
  std::uint32_t generations_[8] = {};
  NodeId link_{0, 1};
  NodeId linked_before_;
  std::vector<NodeId> links_{link_};
  std::vector<PlayerId> players_;
  std::map<PlayerId, Secret> secrets_;
  std::vector<ServerId> servers_;
  std::vector<MatchId> matches_;
  std::vector<std::pair<SessionId, ServerId>> asked_;
  std::set<std::pair<TicketId, SessionId>> ended_;  // For whom.
  std::set<std::pair<MatchId, Time>> recorded_;
};

}  // namespace
}  // namespace muster::core

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t bytes_max = 2048;
  using muster::core::Bytes, muster::core::World;
  World(Bytes({data, std::min(size, bytes_max)})).run();
  return 0;
}
