#include "server/recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/core.h"
#include "store/test_folder.h"

namespace muster::server {
namespace {

using namespace std::chrono_literals;
using population::RecordedTicket;
using End = RecordedTicket::End;

core::Config config() {
  core::Config config;
  config.resume_grace = 30s;
  core::FleetConfig fleet;
  fleet.name = "duel", fleet.command = {"./duel"}, fleet.ports = {7000, 7003};
  config.fleets.push_back(fleet);
  core::QueueConfig queue;
  queue.name = "duel";
  queue.ticket_timeout = 10min;
  queue.rules = {{.name = "mode", .attribute = "mode", .values = {"ctf", "dm"}}};
  config.queues.push_back(queue);
  return config;
}

constexpr Time start_of_day{std::chrono::hours{24 * 20'000}};

/// A core without a loop, and its recorder.
class RecorderTest : public testing::Test {
 protected:
  void step(const core::Event& event) {
    effects_.clear();
    core_.step(event, now_, effects_);
    recorder_->watch(now_, event, effects_, core_.state());
    recorder_->flush();
  }
  void pass(Duration duration) {
    const Time until = now_ + duration;
    while (const auto deadline = core_.next_deadline()) {
      if (*deadline > until) break;
      now_ = std::max(now_, *deadline);
      step(core::DeadlineReached{});
    }
    now_ = until;
  }
  template <class E>
  const E& effect() const {
    for (const core::Effect& effect : effects_)
      if (const E* e = std::get_if<E>(&effect)) return *e;
    throw std::runtime_error("no such effect");
  }
  static core::SessionId session(std::uint32_t slot) { return {slot, 1}; }
  void join(std::uint32_t slot) {
    step(core::SessionOpened{session(slot)});
    step(core::Hello{
        .session = session(slot), .request = 1, .name = "somebody" + std::to_string(slot)});
  }
  void press(std::uint32_t slot, const std::string& mode) {
    step(core::StartMatch{
        session(slot), 2, "duel", 1, {{"mode", mode}, {"email", std::string("a@b.example")}}});
  }
  std::string text() {
    recorder_.reset();
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  population::Recording read() {
    population::RecordingReader reader;
    std::istringstream lines(text());
    for (std::string line; std::getline(lines, line);) {
      const auto read = reader.read(line);
      EXPECT_TRUE(read) << line << " " << read.error();
    }
    auto recording = reader.take();
    EXPECT_TRUE(recording);
    return recording ? *recording : population::Recording{};
  }

  store::TempFolder folder_;
  std::string path_ = folder_.path + "/recording";
  core::Core core_{config()};
  Time now_ = start_of_day;
  core::Effects effects_;
  std::unique_ptr<Recorder> recorder_ =
      std::make_unique<Recorder>(*RecordingFile::open(path_, 1u << 20));
};

TEST_F(RecorderTest, EachTicketWithItsEndAndEachMatchWithItsLength) {
  step(core::NodeConnected{.node = {0, 1}, .name = "node", .host = "127.0.0.1", .servers = {}});
  for (std::uint32_t slot = 0; slot < 3; ++slot) join(slot);
  const auto* const ann = core_.state().sessions.find(session(0));
  ASSERT_TRUE(ann);
  step(core::SetRating{ann->player, "duel", 1720});

  press(0, "ctf");
  pass(2s);
  press(2, "dm");
  pass(1s);
  press(1, "ctf");
  const core::ServerId server = effect<core::LaunchServer>().server;
  pass(3s);
  step(core::ServerLaunched{server, 100});
  step(core::ServerReady{server});
  const core::MatchId match = effect<core::StartServerMatch>().match;
  pass(1s);
  step(core::CancelMatch{session(2), 3});
  pass(59s);
  step(core::LeaveMatch{session(1), 4});  // Ends nothing for the other.
  step(core::MatchOver{server, match, "7:5", {}});
  EXPECT_EQ(effect<core::SendMatchEnded>().end, core::MatchEnd::over);

  const population::Recording recording = read();
  const std::int64_t at = start_of_day.time_since_epoch() / 1ms;
  const std::vector<core::Attribute> ctf{{"mode", std::string("ctf")}};
  ASSERT_EQ(recording.tickets.size(), 3u);
  EXPECT_EQ(recording.tickets[0], (RecordedTicket{.at_ms = at,
                                                  .queue = "duel",
                                                  .rating = 1720,
                                                  .attributes = ctf,
                                                  .wait_ms = 6000,
                                                  .end = End::assigned}));
  EXPECT_EQ(recording.tickets[1].end, End::cancelled);
  EXPECT_EQ(recording.tickets[1].wait_ms, 5000);
  EXPECT_EQ(recording.tickets[2], (RecordedTicket{.at_ms = at + 3000,
                                                  .queue = "duel",
                                                  .rating = 1500,
                                                  .attributes = ctf,
                                                  .wait_ms = 3000,
                                                  .end = End::assigned}));
  EXPECT_EQ(recording.match_ms.at("duel"), std::vector<std::int64_t>{60'000});
}

TEST_F(RecorderTest, WhoeverGoesAwayAndWhoeverWaitsInVain) {
  for (std::uint32_t slot = 0; slot < 2; ++slot) join(slot);
  press(0, "ctf");
  press(1, "dm");
  step(core::SessionClosed{session(0)});
  pass(10min);
  const population::Recording recording = read();
  ASSERT_EQ(recording.tickets.size(), 2u);
  EXPECT_EQ(recording.tickets[0].end, End::away);
  EXPECT_GE(recording.tickets[0].wait_ms, 30'000);
  EXPECT_EQ(recording.tickets[1].end, End::expired);
  EXPECT_EQ(recording.tickets[1].wait_ms, 600'000);
}

TEST_F(RecorderTest, ATicketWhosePlaceIsTakenAtOnceIsNotLost) {
  join(0);
  press(0, "ctf");
  step(core::SessionClosed{session(0)});
  pass(core_.state().config.resume_grace - 1s);
  join(1);   // Then it is looked for lost ones: not yet.
  pass(1s);  // Now it is one, and its place is free.
  press(1, "dm");
  step(core::CancelMatch{session(1), 3});
  const population::Recording recording = read();
  ASSERT_EQ(recording.tickets.size(), 2u);
  EXPECT_EQ(recording.tickets[0].end, End::away);
  EXPECT_EQ(recording.tickets[1].end, End::cancelled);
}

TEST_F(RecorderTest, SaysNothingOfWhoTheyAre) {
  join(0);
  press(0, "ctf");
  press(0, "ctf");                                // Refused: they wait already.
  step(core::StartMatch{session(0), 5, "x", 1});  // And that is no queue.
  pass(10min);
  const std::string recorded = text();
  EXPECT_THAT(recorded, testing::HasSubstr("\"expired\""));
  EXPECT_THAT(recorded, testing::Not(testing::HasSubstr("somebody")));
  EXPECT_THAT(recorded, testing::Not(testing::HasSubstr("email")));
  EXPECT_THAT(recorded, testing::Not(testing::HasSubstr("example")));
  EXPECT_EQ(std::ranges::count(recorded, '\n'), 2) << recorded;
}

}  // namespace
}  // namespace muster::server
