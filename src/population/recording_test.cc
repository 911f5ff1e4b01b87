#include "population/recording.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "population/simulation.h"

namespace muster::population {
namespace {

using testing::HasSubstr;
using End = RecordedTicket::End;

const std::string good_ticket =
    R"({"ticket":{"at":5000,"queue":"duel","seats":2,"rating":1510,"attributes":{"mode":"ctf"},)"
    R"("wait":4300,"end":"cancelled"}})";

std::expected<void, std::string> read_one(const std::string& line) {
  RecordingReader reader;
  EXPECT_TRUE(reader.read(R"({"recording":1})"));
  return reader.read(line);
}

TEST(Recording, WhatIsWrittenIsRead) {
  RecordedTicket ticket{.at_ms = 1'790'000'000'123,
                        .queue = "ranked",
                        .seats = 3,
                        .rating = -20,
                        .attributes = {{"mode", std::string("c\"t\\f\n")},
                                       {"level", -7.25},
                                       {"maps", std::vector<std::string>{"ice", "wood"}}},
                        .latency = {{"eu", 30}, {"us", 120}},
                        .wait_ms = 1234,
                        .end = End::expired};
  RecordedMatch match{.at_ms = 1'790'000'001'000, .queue = "ranked", .players = 2, .length_ms = 77};
  RecordingReader reader;
  for (std::string line : {recording_line(), to_line(ticket), to_line(match), recording_line()}) {
    ASSERT_EQ(line.back(), '\n');
    line.pop_back();
    ASSERT_EQ(line.find('\n'), std::string::npos) << "a line is one";
    const auto read = reader.read(line);
    ASSERT_TRUE(read) << read.error();
  }
  const auto recording = reader.take();
  ASSERT_TRUE(recording);
  ASSERT_EQ(recording->tickets.size(), 1u);
  EXPECT_EQ(recording->tickets[0], ticket);
  EXPECT_EQ(recording->match_ms.at("ranked"), std::vector<std::int64_t>{77});
}

TEST(Recording, Refusals) {
  const auto with = [](const std::string& from, const std::string& to) {
    std::string line = good_ticket;
    return line.replace(line.find(from), from.size(), to);
  };
  ASSERT_TRUE(read_one(good_ticket)) << read_one(good_ticket).error();
  struct Row {
    std::string line;
    const char* want;
  };
  const Row rows[] = {
      {"", "is no JSON"},
      {"{", "is no JSON"},
      {"[]", "is no object with one member"},
      {R"({"ticket":{},"match":{}})", "is no object with one member"},
      {R"({"tocket":{}})", "is no object with one member"},
      {R"({"ticket":3})", "is no object with one member"},
      {R"({"recording":2})", "is of another version of the format; this program reads 1"},
      {with("\"at\":5000,", ""), "is a ticket that has no \"at\""},
      {with("5000", "-1"), "is a ticket that has a \"at\" that is no whole number from 0 to"},
      {with("5000", "5.5"), "is a ticket that has a \"at\""},
      {with("\"duel\"", "\"\""), "is a ticket that has a \"queue\" that is no text of 1 to 32"},
      {with("\"seats\":2", "\"seats\":0"), "has a \"seats\" that is no whole number from 1 to 256"},
      {with("1510", "2000000"), "has a \"rating\""},
      {with("\"ctf\"", "null"), "has an attribute that is no number, text or list of texts"},
      {with("\"ctf\"", "[1]"), "has an attribute with something that is no text"},
      {with("\"ctf\"", "1e300"), "has an attribute that is no number of a rule"},
      {with("\"mode\"", "\"\""), "has an attribute whose name is not 1 to 64 bytes"},
      {with("{\"mode\":\"ctf\"}", "7"), "has \"attributes\" that are no object"},
      {with("\"wait\"", "\"latency\":3,\"wait\""), "has a \"latency\" that is no object"},
      {with("\"wait\"", "\"latency\":{\"eu\":-1},\"wait\""), "has a latency that is no region"},
      {with("cancelled", "bored"), "has an \"end\" of no kind there is: bored"},
      {with("\"seats\":2", "\"seats\":2,\"name\":\"ann\""), "has a member that is not known"},
      {R"({"match":{"at":1,"queue":"duel","players":0,"length":1}})",
       "is a match that has a \"players\""},
      {std::string(RecordingReader::line_bytes_max + 1, ' '), "is longer than a line can be"},
  };
  for (const Row& row : rows) {
    const auto read = read_one(row.line);
    if (read)
      ADD_FAILURE() << "was accepted: " << row.line;
    else
      EXPECT_THAT(read.error(), HasSubstr(row.want)) << row.line;
  }
  RecordingReader reader;
  const auto early = reader.read(good_ticket);
  ASSERT_FALSE(early);
  EXPECT_THAT(early.error(), HasSubstr("comes before {\"recording\":1}"));
  EXPECT_EQ(reader.take().error(), "has no tickets in it");
}

core::Config duel_config() {
  core::Config config;
  core::FleetConfig fleet;
  fleet.name = "duel";
  fleet.command = {"duel"};
  fleet.ports = {7000, 7009};
  fleet.servers_max = 10;
  config.fleets.push_back(fleet);
  core::QueueConfig queue;
  queue.name = "duel";
  queue.ticket_timeout = std::chrono::minutes{10};
  config.queues.push_back(queue);
  return config;
}

RecordedTicket ticket_at(std::int64_t at_ms, std::int64_t wait_ms, End end) {
  return {.at_ms = at_ms,
          .queue = "duel",
          .rating = 1500,
          .attributes = {},
          .wait_ms = wait_ms,
          .end = end};
}

/// Played again under the same rules, the day is what it was.
TEST(Recording, PlayedAgain) {
  constexpr std::int64_t base = 1'790'000'000'000 / 3'600'000 * 3'600'000;
  Recording recording;
  recording.tickets = {ticket_at(base + 1000, 9000, End::cancelled),  // Alone: gave up at 10 s.
                       ticket_at(base + 20'000, 6000, End::assigned),
                       ticket_at(base + 22'000, 4000, End::assigned),
                       ticket_at(base + 3'700'000, 600'000, End::expired)};
  recording.match_ms["duel"] = {60'000};
  const core::Config config = duel_config();
  Population population;
  population.boot = {std::chrono::seconds{4}, std::chrono::seconds{4}};
  population.patience = {std::chrono::minutes{1}, std::chrono::minutes{1}};
  population = population_of_replay(population);
  EXPECT_EQ(misfit(recording, config), "");
  EXPECT_EQ(hours_of(recording), 2u);
  const Report report =
      Simulation(config, population, {.title = "again", .hours = hours_of(recording)},
                 replay(recording, config, population, 1))
          .run();
  const Waits& all = report.queues[0].all;
  EXPECT_EQ(all.players, 4u);
  EXPECT_EQ(all.gave_up, 1u);
  EXPECT_EQ(all.assigned.count(), 2u);
  EXPECT_EQ(all.assigned.max(), 6000);
  EXPECT_EQ(all.expired, 1u);
  EXPECT_EQ(report.fleets[0].playing_s, 60u);
  EXPECT_EQ(report.queues[0].by_hour[1].players, 1u);
}

TEST(Recording, AQueueThatIsNoMore) {
  Recording recording;
  recording.tickets = {ticket_at(1, 1, End::failed)};
  recording.tickets[0].queue = "gone";
  EXPECT_THAT(misfit(recording, duel_config()), HasSubstr("1 tickets are for the queue \"gone\""));
}

}  // namespace
}  // namespace muster::population
