// Any bytes at all: a population that players can be drawn from, or problems that name a line.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "population/arrivals.h"
#include "server/population_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace muster;
  core::Config rules;
  rules.fleets.emplace_back().name = "f";
  core::QueueConfig& queue = rules.queues.emplace_back();
  queue.name = "q";
  queue.rules.resize(2);
  queue.rules[0].name = queue.rules[0].attribute = "mode";
  queue.rules[0].values = {"a", "b"};
  queue.rules[1].name = queue.rules[1].attribute = "level";
  queue.rules[1].kind = core::RuleKind::distance;
  queue.rules[1].limit = 5000;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto population = server::parse_population(text, "f", {&rules, 1});
  if (!population) {
    CHECK(!population.error().empty(), "a refusal says why");
    for (const auto& problem : population.error()) {
      CHECK(!problem.text.empty(), "a problem has a text");
      CHECK(problem.line > 0, "what is wrong with a text is somewhere in it");
    }
    return 0;
  }
  population::Crowd crowd(rules, *population, 1, population::midnight);
  Time last = population::midnight;
  for (int i = 0; i < 20; ++i) {
    CHECK(*crowd.next() >= last, "nobody comes before who came before");
    last = *crowd.next();
    const population::Visit visit = crowd.take();
    CHECK(visit.size >= 1 && visit.matches >= 1 && visit.attributes.size() == 2,
          "a visit is whole");
    const Duration length =
        crowd.match_length(visit.queue, population::Stream(population::seed_of(visit.seed, 1)));
    CHECK(length >= Duration::zero(), "a match takes time");
  }
  return 0;
}
