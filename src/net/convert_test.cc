#include "net/convert.h"

#include <gtest/gtest.h>

#include <functional>

#include "wire/player_message.h"

namespace muster::net {
namespace {

namespace player = wire::player;
using core::Error;

constexpr core::SessionId session{4, 2};

player::ClientMessage start_with(const std::function<void(player::StartMatch&)>& fill) {
  player::ClientMessage message;
  message.set_request(3);
  fill(*message.mutable_start_match());
  return message;
}

TEST(ToEvent, AttributesHaveLimits) {
  struct Row {
    const char* name;
    std::function<void(player::StartMatch&)> fill;
    Error want;
  };
  const auto attribute = [](player::StartMatch& m, const std::string& name) -> player::Attribute& {
    return (*m.mutable_attributes())[name];
  };
  const Row rows[] = {
      {"one of each kind",
       [&](auto& m) {
         attribute(m, "n").set_number(-1.5);
         attribute(m, "t").set_text("eu");
         attribute(m, "s").mutable_texts()->add_values("a");
       },
       Error::none},
      {"an empty set", [&](auto& m) { attribute(m, "s").mutable_texts(); }, Error::none},
      {"longest name", [&](auto& m) { attribute(m, std::string(64, 'n')).set_number(0); },
       Error::none},
      {"longer name", [&](auto& m) { attribute(m, std::string(65, 'n')).set_number(0); },
       Error::attributes_invalid},
      {"no name", [&](auto& m) { attribute(m, "").set_number(0); }, Error::attributes_invalid},
      {"no value", [&](auto& m) { attribute(m, "a"); }, Error::attributes_invalid},
      {"longest text", [&](auto& m) { attribute(m, "a").set_text(std::string(256, 't')); },
       Error::none},
      {"longer text", [&](auto& m) { attribute(m, "a").set_text(std::string(257, 't')); },
       Error::attributes_invalid},
      {"longer text in a set",
       [&](auto& m) { attribute(m, "a").mutable_texts()->add_values(std::string(257, 't')); },
       Error::attributes_invalid},
      {"infinite", [&](auto& m) { attribute(m, "a").set_number(1e308 * 10); },
       Error::attributes_invalid},
      {"a large set",
       [&](auto& m) {
         for (int i = 0; i < 257; ++i) attribute(m, "a").mutable_texts()->add_values("");
       },
       Error::attributes_invalid},
      {"too much in all",
       [&](auto& m) {
         for (int i = 0; i < 16; ++i)
           attribute(m, std::to_string(i)).set_text(std::string(256, 't'));
       },
       Error::attributes_invalid},
  };
  for (const Row& row : rows) {
    const auto event = to_event(session, start_with(row.fill));
    EXPECT_EQ(event ? Error::none : event.error().error, row.want) << row.name;
  }
}

TEST(ToEvent, AttributesComeInOrderOfName) {
  const auto event = to_event(session, start_with([](auto& m) {
                                for (const char* name : {"c", "a", "b"})
                                  (*m.mutable_attributes())[name].set_text(name);
                              }));
  ASSERT_TRUE(event);
  const auto& start = std::get<core::StartMatch>(*event);
  EXPECT_EQ(start.session, session);
  EXPECT_EQ(start.request, 3u);
  EXPECT_EQ(start.seats, 1);  // 0 is 1.
  using A = core::Attribute;
  EXPECT_EQ(start.attributes, (std::vector<A>{{"a", "a"}, {"b", "b"}, {"c", "c"}}));
}

TEST(ToEvent, LatencyIsInTheOrderOfTheRegions) {
  const auto event = to_event(session, start_with([](auto& m) {
                                for (const char* region : {"us", "asia", "eu"})
                                  (*m.mutable_latency())[region] = 20;
                              }));
  using R = core::RegionLatency;
  EXPECT_EQ(std::get<core::StartMatch>(event.value()).latency,
            (std::vector<R>{{"asia", 20}, {"eu", 20}, {"us", 20}}));
}

TEST(ToEvent, ABlockListIsThereOrNot) {
  const auto list = [](const std::vector<const char*>& ids) {
    return start_with([&](auto& m) {
      m.mutable_blocked();
      for (const char* id : ids) m.mutable_blocked()->add_player_ids(id);
    });
  };
  using Players = std::optional<std::vector<core::PlayerId>>;
  const auto of = [](const std::expected<core::Event, Refusal>& event) {
    return std::get<core::StartMatch>(event.value()).blocked;
  };
  EXPECT_EQ(of(to_event(session, start_with([](auto&) {}))), Players{});
  EXPECT_EQ(of(to_event(session, list({}))), Players{std::in_place});
  EXPECT_EQ(of(to_event(session, list({"3.1", "4.7"}))), (Players{{{3, 1}, {4, 7}}}));
  const auto refused = to_event(session, list({"3.1", "bob"}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error, Error::blocked_invalid);
}

TEST(ToEvent, AbsurdSeatsAreLeftToTheCoreToRefuse) {
  const auto event = to_event(session, start_with([](auto& m) { m.set_seats(0xffffffffu); }));
  EXPECT_EQ(std::get<core::StartMatch>(event.value()).seats, 0x7fffffff);
}

TEST(ToEvent, EachHelloHasItsOwnSecret) {
  player::ClientMessage message;
  message.mutable_hello()->mutable_guest()->set_name("ann");
  const auto one = to_event(session, message), two = to_event(session, message);
  EXPECT_NE(std::get<core::Hello>(one.value()).secret, std::get<core::Hello>(two.value()).secret);
}

TEST(ToEvent, CommandsOfAParty) {
  player::ClientMessage message;
  message.set_request(9);
  message.mutable_create_party();
  const auto one = to_event(session, message), two = to_event(session, message);
  const std::string& code = std::get<core::CreateParty>(one.value()).code;
  EXPECT_EQ(code.size(), core::party_code_bytes);
  EXPECT_EQ(code.find_first_not_of(core::party_code_alphabet), std::string::npos) << code;
  EXPECT_NE(code, std::get<core::CreateParty>(two.value()).code) << "each is drawn";

  message.mutable_join_party()->set_code("k7mwq3zp");
  const auto join = std::get<core::JoinParty>(to_event(session, message).value());
  EXPECT_EQ(join.code, "K7MWQ3ZP") << "people write it as they like";
  EXPECT_EQ(join.session, session);
  EXPECT_EQ(join.request, 9u);
  message.mutable_kick_from_party()->set_player_id("4.1");
  EXPECT_EQ(std::get<core::KickFromParty>(to_event(session, message).value()).player,
            (core::PlayerId{4, 1}));
  message.mutable_promote_in_party()->set_player_id("nobody");
  EXPECT_FALSE(std::get<core::PromoteInParty>(to_event(session, message).value()).player);
  (*message.mutable_set_party_attributes()->mutable_attributes())["role"].set_text("healer");
  EXPECT_EQ(std::get<core::SetPartyAttributes>(to_event(session, message).value()).attributes,
            (std::vector<core::Attribute>{{"role", "healer"}}));
  (*message.mutable_set_party_attributes()->mutable_attributes())["role"].clear_value();
  EXPECT_EQ(to_event(session, message).error().error, Error::attributes_invalid);
  message.mutable_leave_party();
  EXPECT_TRUE(std::holds_alternative<core::LeaveParty>(to_event(session, message).value()));
  message.mutable_accept_match();
  EXPECT_TRUE(std::holds_alternative<core::AcceptMatch>(to_event(session, message).value()));
  message.mutable_decline_match();
  EXPECT_TRUE(std::holds_alternative<core::DeclineMatch>(to_event(session, message).value()));
}

TEST(SessionToken, ReadsBackAndNothingElseDoes) {
  const core::PlayerId player{0x01020304, 0xfffefdfc};
  core::Secret secret;
  for (std::size_t i = 0; i < secret.size(); ++i) secret[i] = static_cast<std::uint8_t>(251 * i);
  const std::string token = session_token(player, secret);
  EXPECT_EQ(token.size(), 32u);
  EXPECT_EQ(token.find_first_of("+/="), std::string::npos);
  const auto back = parse_session_token(token);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->first, player);
  EXPECT_EQ(back->second, secret);

  player::ClientMessage message;
  message.set_request(8);
  message.mutable_hello()->mutable_resume()->set_session_token(token);
  const auto event = to_event(session, message);
  EXPECT_EQ(std::get<core::ResumeSession>(event.value()).player, player);
  EXPECT_EQ(std::get<core::ResumeSession>(event.value()).request, 8u);

  for (const std::string& bad : {std::string(), token.substr(1), token + "A", "+" + token.substr(1),
                                 std::string(32, 'A'), std::string(32, '\0')})
    EXPECT_FALSE(parse_session_token(bad)) << bad;
}

std::string json_of(const core::Effect& effect) {
  player::LobbyMessage message;
  const auto sign = [](const core::SendAssignment& a) { return "jwt for " + a.player_name; };
  if (!to_message(effect, sign, message)) return "nothing";
  std::string out;
  wire::append(wire::Encoding::json, out, message);
  return out;
}

TEST(ToMessage, EachEffect) {
  core::Roster roster;
  roster.push_back({{7, 1}, "ann", 0, 1, {{"elo", 1500.0}}});
  roster.push_back({{8, 1}, "bob", 1, 2, {}});
  struct Row {
    const char* name;
    core::Effect effect;
    std::string json;
  };
  const Row rows[] = {
      {"welcome", core::SendWelcome{session, 1, {7, 1}, "ann", {}, true},
       R"({"request":1,"welcome":{"playerId":"7.1","sessionToken":")" + session_token({7, 1}, {}) +
           R"(","name":"ann","resumed":true}})"},
      {"an error with a detail", core::SendError{session, 2, Error::queue_not_found, "duel2"},
       R"json({"request":2,"error":{"code":"queue_not_found","message":"There is no queue of that name. (duel2)","retryAfterMs":0}})json"},
      {"a detail that is no UTF-8",
       core::SendError{session, 0, Error::launch_failed, "a\xff\xc3\xa9z"},
       "{\"error\":{\"code\":\"launch_failed\",\"message\":\"The game server could not be started. "
       "The operator finds the reason in its log. (a\xef\xbf\xbd\xc3\xa9z)\",\"retryAfterMs\":0}}"},
      {"a failed ticket",
       core::SendTicket{
           session, 0, {2, 1}, "duel", core::TicketState::failed, 2, 2, Error::no_port_free},
       R"({"ticket":{"ticketId":"2.1","queue":"duel","state":"FAILED","players":2,"playersNeeded":2,"error":{"code":"no_port_free","message":"Every port for game servers is in use.","retryAfterMs":0},"accepted":0,"acceptsNeeded":0,"acceptLeftMs":0,"youAccepted":false}})"},
      {"a ticket with an estimate",
       core::SendTicket{session,
                        1,
                        {2, 1},
                        "duel",
                        core::TicketState::queued,
                        1,
                        2,
                        Error::none,
                        core::WaitEstimate{std::chrono::milliseconds{2500}, std::chrono::seconds{1},
                                           std::chrono::seconds{4}}},
       R"({"request":1,"ticket":{"ticketId":"2.1","queue":"duel","state":"QUEUED","players":1,"playersNeeded":2,"accepted":0,"acceptsNeeded":0,"acceptLeftMs":0,"youAccepted":false,"waitEstimate":{"ms":2500,"lowMs":1000,"highMs":4000}}})"},
      {"a penalty",
       core::SendError{session, 2, Error::queue_penalty, "duel", core::milliseconds{29001}},
       R"json({"request":2,"error":{"code":"queue_penalty","message":"A match of that queue was not accepted; it takes this player again later. (duel, 30 s left)","retryAfterMs":29001}})json"},
      {"an offer",
       core::SendTicket{session,
                        3,
                        {2, 1},
                        "duel",
                        core::TicketState::offered,
                        4,
                        4,
                        Error::none,
                        std::nullopt,
                        1,
                        4,
                        core::seconds{20},
                        true},
       R"({"request":3,"ticket":{"ticketId":"2.1","queue":"duel","state":"OFFERED","players":4,"playersNeeded":4,"accepted":1,"acceptsNeeded":4,"acceptLeftMs":20000,"youAccepted":true}})"},
      {"a party",
       core::SendParty{session, 4, {7, 1}, "ABCDEFGH", {{{4, 1}, "ann", true, {}}}, Error::none},
       R"({"request":4,"party":{"partyId":"7.1","code":"ABCDEFGH","members":[{"playerId":"4.1","name":"ann","away":true,"attributes":{}}]}})"},
      {"an assignment",
       core::SendAssignment{session,
                            0,
                            {2, 1},
                            {9, 1},
                            {5, 3},
                            {7, 1},
                            "ann",
                            0,
                            1,
                            "duel",
                            "h",
                            7001,
                            std::make_shared<const core::Roster>(roster),
                            {},
                            {},
                            "eu"},
       R"({"assignment":{"matchId":"9.1","serverId":"5.3","host":"h","port":7001,"joinToken":"jwt for ann","team":0,"players":[)"
       R"({"playerId":"7.1","name":"ann","team":0,"seats":1,"attributes":{"elo":{"number":1500}}},)"
       R"({"playerId":"8.1","name":"bob","team":1,"seats":2,"attributes":{}}],"queue":"duel","ticketId":"2.1","ports":{},"region":"eu"}})"},
      {"a match that ended",
       core::SendMatchEnded{session, 0, {9, 1}, core::MatchEnd::server_lost, true, ""},
       R"({"matchEnded":{"matchId":"9.1","reason":"SERVER_LOST","requeued":true,"result":""}})"},
      {"a match this player left",
       core::SendMatchEnded{session, 4, {9, 1}, core::MatchEnd::left, false, ""},
       R"({"request":4,"matchEnded":{"matchId":"9.1","reason":"LEFT","requeued":false,"result":""}})"},
      {"a game server's login", core::SendServerLoginOk{session}, "nothing"},
      {"an effect for nodes", core::StopServer{}, "nothing"},
  };
  for (const Row& row : rows) EXPECT_EQ(json_of(row.effect), row.json) << row.name;
}

TEST(SessionOf, EffectsForNodesHaveNone) {
  EXPECT_EQ(session_of(core::CloseSession{session, {}}), session);
  EXPECT_EQ(session_of(core::SendServerLoginOk{session}), session);
  EXPECT_FALSE(session_of(core::VerifyOwner{{1, 1}, session, {1, 1}}));
  EXPECT_FALSE(session_of(core::LaunchServer{}));
}

}  // namespace
}  // namespace muster::net
