#include <benchmark/benchmark.h>

#include "wire/player_message.h"

namespace muster::wire {
namespace {

player::ClientMessage start_match() {
  player::ClientMessage message;
  message.set_request(2);
  message.mutable_start_match()->set_queue("duel");
  (*message.mutable_start_match()->mutable_attributes())["elo"].set_number(1500);
  return message;
}

player::LobbyMessage ticket() {
  player::LobbyMessage message;
  message.set_request(2);
  player::Ticket& t = *message.mutable_ticket();
  t.set_ticket_id("41.3");
  t.set_queue("duel");
  t.set_state(player::Ticket::QUEUED);
  t.set_players(1);
  t.set_players_needed(2);
  return message;
}

// Messages read or written per second, as text (1) or binary (0), into reused memory.
void decode_bench(benchmark::State& state) {
  const auto encoding = state.range(0) ? Encoding::json : Encoding::binary;
  std::string bytes;
  append(encoding, bytes, start_match());
  player::ClientMessage message;
  for (auto _ : state)
    benchmark::DoNotOptimize(decode(
        encoding, {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, message));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(decode_bench)->Arg(0)->Arg(1);

void append_bench(benchmark::State& state) {
  const auto encoding = state.range(0) ? Encoding::json : Encoding::binary;
  const auto message = ticket();
  std::string bytes;
  for (auto _ : state) {
    bytes.clear();
    append(encoding, bytes, message);
    benchmark::DoNotOptimize(bytes.data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(append_bench)->Arg(0)->Arg(1);

}  // namespace
}  // namespace muster::wire
