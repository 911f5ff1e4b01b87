#include <benchmark/benchmark.h>

#include "wire/join_token.h"

namespace muster::wire {
namespace {

const JoinClaims claims{"41.3", "ann", "7.1", "12.9", 1, 1, 1'700'000'000, 1'700'003'600};

void sign_with_coupons_bench(benchmark::State& state) {
  JoinKey key({1});
  for (auto _ : state) {
    if (key.coupons() == 0) {
      state.PauseTiming();
      key.prepare(JoinKey::coupons_max);
      state.ResumeTiming();
    }
    benchmark::DoNotOptimize(key.sign(claims));
  }
  state.SetItemsProcessed(state.iterations());  // Tokens.
}
BENCHMARK(sign_with_coupons_bench)->Iterations(16 * JoinKey::coupons_max);

void sign_without_coupons_bench(benchmark::State& state) {
  JoinKey key({1});
  for (auto _ : state) benchmark::DoNotOptimize(key.sign(claims));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(sign_without_coupons_bench);

void prepare_coupon_bench(benchmark::State& state) {
  JoinKey key({1});
  for (auto _ : state) {
    if (key.prepare(1)) {
      state.PauseTiming();
      key = JoinKey({1});
      state.ResumeTiming();
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(prepare_coupon_bench);

void verify_join_token_bench(benchmark::State& state) {
  JoinKey key({1});
  const std::string token = key.sign(claims);
  for (auto _ : state)
    benchmark::DoNotOptimize(verify_join_token(token, key.public_key(), claims.issued_at));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(verify_join_token_bench);

}  // namespace
}  // namespace muster::wire
