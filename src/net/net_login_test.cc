// Logins with a name and a password, of the dialects that have errors.
#include <gtest/gtest.h>

#include "net/net.h"
#include "net/test_world.h"

namespace muster::net {
namespace {

using namespace std::chrono_literals;

std::string hello(std::uint32_t request, const char* password, bool sign_up = false) {
  return native(R"({"request":)" + std::to_string(request) +
                R"(,"hello":{"account":{"name":"ann","password":")" + password + '"' +
                (sign_up ? R"(,"signUp":true}}})" : "}}}"));
}

TEST(Login, WhatTheAccountsSayIsWhatThePlayerHears) {
  struct Row {
    const char* name;
    bool sign_up;
    AccountReply reply;
    const char* error;  // Empty: a Hello follows.
  };
  const Row rows[] = {
      {"the right password",
       false,
       {.outcome = AccountOutcome::ok, .account = 7, .ratings = {{"ranked", 1600, 40}}},
       ""},
      {"signed up", true, {.outcome = AccountOutcome::ok, .account = 8}, ""},
      {"a wrong one", false, {.outcome = AccountOutcome::login_refused}, "login_refused"},
      {"nobody of that name, which nobody is told",
       false,
       {.outcome = AccountOutcome::name_unknown},
       "login_refused"},
      {"the name is taken", true, {.outcome = AccountOutcome::name_taken}, "name_taken"},
      {"no name", true, {.outcome = AccountOutcome::name_invalid}, "name_invalid"},
      {"banned",
       false,
       {.outcome = AccountOutcome::banned, .detail = "cheating; until 2027-01-01"},
       "cheating; until 2027-01-01"},
      {"the disk is full",
       true,
       {.outcome = AccountOutcome::storage_unavailable},
       "storage_unavailable"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    NetOptions options = test_options();
    AccountRequest asked;
    std::function<void(AccountReply)> answer;
    options.accounts = [&](AccountRequest r, std::function<void(AccountReply)> reply) {
      asked = std::move(r);
      answer = std::move(reply);
    };
    TestWorld world(options);
    world.welcome_all();
    TestClient client(world.io, world.net.port());
    client.send("MUST" + hello(3, "secret", row.sign_up));
    ASSERT_TRUE(world.until([&] { return answer != nullptr; }));
    EXPECT_EQ(asked.kind,
              row.sign_up ? AccountRequest::Kind::sign_up : AccountRequest::Kind::log_in);
    EXPECT_EQ(asked.name, "ann");
    EXPECT_EQ(asked.password, "secret");
    EXPECT_EQ(world.count<core::Hello>(), 0u) << "nobody comes in before that";
    world.now += 30s;  // A check that takes long is not the client's fault.
    answer(row.reply);
    if (*row.error == '\0') {
      ASSERT_TRUE(world.until_event<core::Hello>());
      const core::Hello& event = *world.find<core::Hello>();
      EXPECT_EQ(event.request, 3u);
      EXPECT_EQ(event.name, "ann");
      EXPECT_EQ(event.account, row.reply.account);
      EXPECT_EQ(event.ratings, row.reply.ratings);
      EXPECT_NE(event.secret, core::Secret{});
    } else {
      ASSERT_TRUE(client.until([&] {
        return native_messages(client.received).find(row.error) != std::string::npos;
      })) << native_messages(client.received);
      EXPECT_NE(native_messages(client.received).find(R"("request":3)"), std::string::npos);
      EXPECT_EQ(world.count<core::Hello>(), 0u);
    }
  }
}

TEST(Login, OneAtATimeAndOnlyOnce) {
  NetOptions options = test_options();
  std::vector<std::function<void(AccountReply)>> asked;
  options.accounts = [&](AccountRequest, std::function<void(AccountReply)> reply) {
    asked.push_back(std::move(reply));
  };
  TestWorld world(options);
  world.welcome_all();
  TestClient client(world.io, world.net.port());
  client.send("MUST" + hello(1, "a") + hello(2, "b"));
  const auto heard = [&](const char* text) {
    return client.until(
        [&] { return native_messages(client.received).find(text) != std::string::npos; });
  };
  ASSERT_TRUE(heard(R"("request":2,"error":{"code":"already_identified")"));
  ASSERT_EQ(asked.size(), 1u);
  asked[0]({.outcome = AccountOutcome::ok, .account = 7});
  ASSERT_TRUE(heard(R"("request":1,"welcome")"));
  client.send(hello(3, "a"));
  ASSERT_TRUE(heard(R"("request":3,"error":{"code":"already_identified")"));
  EXPECT_EQ(asked.size(), 1u);
}

TEST(Login, WhoGuessesIsClosed) {
  NetOptions options = test_options();
  std::uint32_t asked = 0;
  options.accounts = [&](AccountRequest, const std::function<void(AccountReply)>& reply) {
    ++asked;
    reply({.outcome = AccountOutcome::login_refused});
  };
  TestWorld world(options);
  TestClient client(world.io, world.net.port());
  client.send("MUST");
  for (std::uint32_t i = 0; i < 9; ++i) client.send(hello(i, "guess"));
  ASSERT_TRUE(client.until_ended());
  EXPECT_EQ(asked, 5u);
}

TEST(Login, NotOverWhatOthersCanRead) {
  NetOptions options = test_options();
  options.logins = AllowedFrom::off;  // As `loopback` has it for everybody from elsewhere.
  options.accounts = [&](AccountRequest, const std::function<void(AccountReply)>&) {
    FAIL() << "nobody is asked";
  };
  TestWorld world(options);
  TestClient client(world.io, world.net.port());
  client.send("MUST" + hello(1, "secret"));
  ASSERT_TRUE(client.until([&] {
    return native_messages(client.received).find("encryption_required") != std::string::npos;
  }));
}

TEST(Login, WithoutAccountsThereAreNone) {
  TestWorld world(test_options());
  TestClient client(world.io, world.net.port());
  client.send("MUST" + hello(1, "secret"));
  ASSERT_TRUE(client.until(
      [&] { return native_messages(client.received).find("login_refused") != std::string::npos; }));
}

}  // namespace
}  // namespace muster::net
