#include "store/state_codec.h"

#include "core/rule_matcher.h"

namespace muster::store {
namespace {

/// Every member of State, in the order of the format: only ever append.
template <class StateType, class F>
void members(StateType& s, F&& f) {
  f(s.stopping), f(s.now);
  f(s.sessions), f(s.players), f(s.tickets), f(s.matches), f(s.servers), f(s.nodes);
  f(s.totals), f(s.ended), f(s.away);
  f(s.results), f(s.results_numbered), f(s.result_refused), f(s.accounts);
  f(s.parties), f(s.party_codes);
}

/// Whether what is made for it stays small, whatever the bytes were.
bool bounded(const core::QueueConfig& queue) {
  std::uint64_t seats = 0;
  for (const core::TeamConfig& team : queue.team) seats += std::uint64_t{team.players} * team.count;
  for (const core::TeamConfig& team : queue.team)
    if (team.count > 256) return false;
  return queue.players >= 1 && queue.players <= 256 && queue.teams >= 1 && queue.teams <= 256 &&
         seats <= 256;
}

}  // namespace

void encode_state(const core::State& state, std::string& out) {
  Writer writer(out);
  writer.put(state.config);
  writer.put(state.timers);
  members(state, [&](const auto& member) { writer.put(member); });
  for (const core::Queue& queue : state.queues) writer.put(queue);
  for (const core::Fleet& fleet : state.fleets) writer.put(fleet);
}

std::unique_ptr<core::State> decode_state(Bytes bytes) {
  Reader reader(bytes);
  core::Config config;
  reader.get(config);
  if (!reader.ok()) return nullptr;
  for (const core::QueueConfig& queue : config.queues)
    if (queue.ruled() && !bounded(queue)) return nullptr;
  auto state = std::make_unique<core::State>(std::move(config));
  reader.get(state->timers);
  members(*state, [&](auto& member) { reader.get(member); });
  for (core::Queue& queue : state->queues) reader.get(queue);
  for (core::Fleet& fleet : state->fleets) reader.get(fleet);
  if (!reader.ok() || reader.left() > 0) return nullptr;
  for (TimerId* timer : reader.timers())
    if (!state->timers.relink(*timer)) return nullptr;
  if (!state->timers.whole()) return nullptr;
  return state;
}

}  // namespace muster::store
