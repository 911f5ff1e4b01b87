#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "core/effect.h"
#include "core/error.h"
#include "core/event.h"
#include "core/types.h"

namespace muster::core {
namespace {

constexpr int errors = static_cast<int>(Error::server_not_found) + 1;

TEST(Names, ErrorCodesAreStableWordsAndComeBack) {
  std::set<std::string_view> codes;
  for (int i = 0; i < errors; ++i) {
    const Error error{static_cast<std::uint8_t>(i)};
    SCOPED_TRACE(code(error));
    EXPECT_TRUE(codes.insert(code(error)).second);
    EXPECT_EQ(code(error).find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos);
    EXPECT_EQ(error_from_code(code(error)), error);
    ASSERT_FALSE(message(error).empty());
    EXPECT_EQ(message(error).back(), '.') << "a sentence";
    EXPECT_EQ(message(error).front() & 0x20, 0) << "with a capital";
  }
  for (const std::string_view text : {"", "Lobby_full", "lobby_full ", "lobby", "unknown"})
    EXPECT_EQ(error_from_code(text), std::nullopt) << text;
}

// Codes that clients already compare. A row is never changed, only added.
TEST(Names, ErrorCodesClientsKnow) {
  const std::pair<Error, std::string_view> rows[] = {
      {Error::queue_not_found, "queue_not_found"},
      {Error::already_queued, "already_queued"},
      {Error::lobby_full, "lobby_full"},
      {Error::session_expired, "session_expired"},
      {Error::session_token_invalid, "session_token_invalid"},
      {Error::launch_failed, "launch_failed"},
      {Error::no_port_free, "no_port_free"},
      {Error::node_unavailable, "node_unavailable"},
      {Error::ticket_expired, "ticket_expired"},
      {Error::server_not_found, "server_not_found"},
      {Error::queue_draining, "queue_draining"},
      {Error::queue_removed, "queue_removed"},
      {Error::fleet_crash_loop, "fleet_crash_loop"},
  };
  for (const auto& [error, text] : rows) EXPECT_EQ(code(error), text);
}

template <class Variant, std::size_t... I>
std::set<std::string_view> names_of(std::index_sequence<I...>) {
  return {name_of(Variant{std::in_place_index<I>})...};
}

TEST(Names, EventsAndEffectsHaveOneEach) {
  constexpr auto events = std::variant_size_v<Event>, effects = std::variant_size_v<Effect>;
  EXPECT_EQ(names_of<Event>(std::make_index_sequence<events>()).size(), events);
  EXPECT_EQ(names_of<Effect>(std::make_index_sequence<effects>()).size(), effects);
  EXPECT_EQ(name_of(Event{SessionOpened{}}), "SessionOpened");
  EXPECT_EQ(name_of(Event{NodeConnected{}}), "NodeConnected");
  EXPECT_EQ(name_of(Event{OwnerVerified{}}), "OwnerVerified");
  EXPECT_EQ(name_of(Event{MatchOver{}}), "MatchOver");
  EXPECT_EQ(name_of(Event{ForkParentChanged{}}), "ForkParentChanged");
  EXPECT_EQ(name_of(Event{DeadlineReached{}}), "DeadlineReached");
  EXPECT_EQ(name_of(Event{ConfigReloaded{}}), "ConfigReloaded");
  EXPECT_EQ(name_of(Event{DrainServer{}}), "DrainServer");
  EXPECT_EQ(name_of(Effect{SendWelcome{}}), "SendWelcome");
  EXPECT_EQ(name_of(Effect{LaunchServer{}}), "LaunchServer");
  EXPECT_EQ(name_of(Effect{RemoveServerPlayer{}}), "RemoveServerPlayer");
  EXPECT_EQ(name_of(Effect{VerifyOwner{}}), "VerifyOwner");
}

TEST(Names, States) {
  EXPECT_EQ(to_string(TicketState::queued), "queued");
  EXPECT_EQ(to_string(TicketState::failed), "failed");
  EXPECT_EQ(to_string(ServerState::starting), "starting");
  EXPECT_EQ(to_string(ServerState::allocated), "allocated");
  EXPECT_EQ(to_string(ServerState::error), "error");
  EXPECT_EQ(to_string(ForkParentState::loading), "loading");
  EXPECT_EQ(to_string(ForkParentState::failed), "failed");
  EXPECT_EQ(to_string(MatchState::playing), "playing");
  EXPECT_EQ(to_string(MatchEnd::over), "over");
  EXPECT_EQ(to_string(MatchEnd::left), "left");
}

}  // namespace
}  // namespace muster::core
