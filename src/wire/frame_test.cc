#include "wire/frame.h"

#include <gtest/gtest.h>

#include "proto/player.pb.h"

namespace muster::wire {
namespace {

Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string three_frames() {
  std::string out;
  for (std::uint32_t request : {1u, 0u, 300u}) {
    player::ClientMessage message;
    message.set_request(request);
    append_frame(out, message);  // The second has no payload at all.
  }
  return out;
}

std::vector<std::uint32_t> requests_when_cut_every(std::size_t step) {
  const std::string stream = three_frames();
  std::vector<std::uint32_t> requests;
  FrameReader reader{64};
  for (std::size_t at = 0; at < stream.size(); at += step) {
    const bool good = reader.feed(bytes_of(stream.substr(at, step)), [&](Bytes payload) {
      player::ClientMessage message;
      EXPECT_TRUE(message.ParseFromArray(payload.data(), static_cast<int>(payload.size())));
      requests.push_back(message.request());
      return true;
    });
    EXPECT_TRUE(good);
  }
  EXPECT_FALSE(reader.unfinished());
  return requests;
}

TEST(FrameReader, TheCutOfTheStreamDoesNotMatter) {
  for (std::size_t step = 1; step <= three_frames().size(); ++step) {
    SCOPED_TRACE(step);
    EXPECT_EQ(requests_when_cut_every(step), (std::vector<std::uint32_t>{1, 0, 300}));
  }
}

TEST(FrameReader, TooLongAFrameIsRefusedByItsHeaderAlone) {
  const std::string header("\x41\0\0\0", 4);  // 65
  for (const std::size_t cut : {1u, 4u}) {
    FrameReader reader{64};
    const auto ignore = [](Bytes) { return true; };
    bool good = reader.feed(bytes_of(header.substr(0, cut)), ignore);
    if (good) good = reader.feed(bytes_of(header.substr(cut) + "x"), ignore);
    EXPECT_FALSE(good) << "cut at " << cut;
  }
}

TEST(FrameReader, SaysThatAFrameIsUnfinished) {
  FrameReader reader{64};
  const std::string stream = three_frames();
  EXPECT_TRUE(reader.feed(bytes_of(stream.substr(0, 5)), [](Bytes) { return true; }));
  EXPECT_TRUE(reader.unfinished());
}

TEST(FrameReader, StopsWhenTold) {
  FrameReader reader{64};
  int frames = 0;
  EXPECT_FALSE(reader.feed(bytes_of(three_frames()), [&](Bytes) { return ++frames < 2; }));
  EXPECT_EQ(frames, 2);
}

}  // namespace
}  // namespace muster::wire
