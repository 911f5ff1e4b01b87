#include "core/match_rules.h"

#include <gtest/gtest.h>

namespace muster::core {
namespace {

using Texts = std::vector<std::string>;

QueueConfig queue_with(RuleConfig rule) {
  QueueConfig queue;
  rule.name = rule.attribute = "a";
  queue.rules.push_back(std::move(rule));
  return queue;
}

TicketMember with(decltype(Attribute::value) value) { return {{}, 1, {{"a", std::move(value)}}}; }

TEST(RuleValues, OfPlayersWhoStayTogether) {
  const auto equal = queue_with({.kind = RuleKind::equal, .values = {"x", "y"}});
  const auto any_of = queue_with({.kind = RuleKind::any_of, .values = {"x", "y", "z"}});
  const auto distance = queue_with({.kind = RuleKind::distance, .limit = 5000});
  const auto min = queue_with({.kind = RuleKind::min, .limit = 3000});
  const auto max = queue_with({.kind = RuleKind::max, .limit = 9000});
  struct Row {
    const char* name;
    const QueueConfig& queue;
    std::vector<TicketMember> members;
    std::optional<std::int64_t> want;  // Nothing: they cannot play together.
  };
  const Row rows[] = {
      {"one alone has their own", equal, {with("y")}, 2},
      {"what is equal is so among them", equal, {with("x"), with("x")}, 1},
      {"or they cannot play together", equal, {with("x"), with("y")}, {}},
      {"of sets what all have", any_of, {with(Texts{"x", "y"}), with(Texts{"y", "z"})}, 2},
      {"of three as well", any_of, {with(Texts{"x", "y"}), with("y"), with(Texts{"x"})}, {}},
      {"a distance is from their average", distance, {with(1.0), with(2.0), with(6.0)}, 3000},
      {"however far they are apart", distance, {with(-100.0), with(100.0)}, 0},
      {"a minimum is for the lowest", min, {with(7.0), with(4.0)}, 4000},
      {"each must reach it", min, {with(7.0), with(2.0)}, {}},
      {"a maximum is for the highest", max, {with(7.0), with(4.0)}, 7000},
      {"nobody may be above it", max, {with(7.0), with(10.0)}, {}},
      {"each has the attribute", min, {with(7.0), TicketMember{}}, {}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const auto values = rule_values(row.queue, row.members);
    EXPECT_EQ(values.has_value(), row.want.has_value());
    if (values && row.want) {
      EXPECT_EQ(*values, std::vector{*row.want});
    }
  }
}

}  // namespace
}  // namespace muster::core
