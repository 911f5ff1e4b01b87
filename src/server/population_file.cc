#include "server/population_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <numeric>

#include "server/config_tables.h"

namespace muster::server {
namespace {

using population::AttributeHabits;
using population::CountSpread;
using population::Population;
using population::QueueHabits;
using population::Region;
using population::Spread;
using std::chrono::hours;
using std::chrono::seconds;

// ---- Kinds of value.

/// Reads "30s", or { median = "20s", p90 = "90s" }.
std::string read_spread(Spread& out, const toml::node& node, Duration min, Duration max) {
  const std::string example = R"("30s" or { median = "20s", p90 = "90s" })";
  const auto read = [&](Duration& duration, const toml::node& from) -> std::string {
    const auto text = from.value_exact<std::string>();
    if (!text) return wrong_type(from, "a string with a unit, such as \"30s\"");
    const auto value = parse_duration(*text);
    if (!value) return value.error();
    if (*value < min || *value > max)
      return fmt::format("is {}; must be {} to {}", *text, format_duration(min),
                         format_duration(max));
    duration = *value;
    return {};
  };
  if (node.is_string()) {
    const std::string problem = read(out.median, node);
    out.p90 = out.median;
    return problem;
  }
  const toml::table* const table = node.as_table();
  if (!table) return wrong_type(node, example);
  const toml::node *const median = table->get("median"), *const p90 = table->get("p90");
  if (!median || !p90 || table->size() != 2)
    return "has a median and a p90 and nothing else: " + example;
  if (const std::string problem = read(out.median, *median); !problem.empty())
    return "median " + problem;
  if (const std::string problem = read(out.p90, *p90); !problem.empty()) return "p90 " + problem;
  if (out.p90 < out.median) return "has a p90 below its median: a tenth of all are above the p90";
  if (out.p90 > 20 * out.median)
    return "has a p90 more than 20 times its median, which is no spread of one kind of thing";
  return {};
}

std::string show(const Spread& spread) {
  if (spread.median == spread.p90) return format_duration(spread.median);
  return fmt::format("median {}, p90 {}", format_duration(spread.median),
                     format_duration(spread.p90));
}

template <class T, class Access>
Field<T> spread(std::string name, Access access, Duration min, Duration max) {
  T defaults{};
  return {std::move(name), "duration or spread", show(access(defaults)),
          fmt::format("{} to {}", format_duration(min), format_duration(max)),
          [=](T& out, const toml::node& node) {
            Spread value;
            std::string problem = read_spread(value, node, min, max);
            if (problem.empty()) access(out) = value;
            return problem;
          }};
}

/// One that is another table's unless it is there.
template <class T, class Access>
Field<T> spread_or(std::string name, Access access, std::string fallback, Duration min,
                   Duration max) {
  return {std::move(name), "duration or spread", std::move(fallback),
          fmt::format("{} to {}", format_duration(min), format_duration(max)),
          [=](T& out, const toml::node& node) {
            Spread value;
            std::string problem = read_spread(value, node, min, max);
            if (problem.empty()) access(out) = value;
            return problem;
          }};
}

std::string read_whole(std::uint32_t& out, const toml::node& node, std::uint32_t min,
                       std::uint32_t max) {
  const auto value = node.value_exact<std::int64_t>();
  if (!value) return wrong_type(node, fmt::format("a whole number, {} to {}", min, max));
  if (*value < min || *value > max) return fmt::format("is {}; must be {} to {}", *value, min, max);
  out = static_cast<std::uint32_t>(*value);
  return {};
}

template <class T, class Access>
Field<T> count_spread(std::string name, Access access, std::uint32_t max) {
  T defaults{};
  const CountSpread d = access(defaults);
  return {std::move(name), "number or spread", fmt::format("median {}, p90 {}", d.median, d.p90),
          fmt::format("1 to {}", max), [=](T& out, const toml::node& node) -> std::string {
            CountSpread value;
            if (node.is_integer()) {
              std::string problem = read_whole(value.median, node, 1, max);
              value.p90 = value.median;
              if (problem.empty()) access(out) = value;
              return problem;
            }
            const toml::table* const table = node.as_table();
            if (!table) return wrong_type(node, "a whole number, or { median = 4, p90 = 10 }");
            const toml::node *const median = table->get("median"), *const p90 = table->get("p90");
            if (!median || !p90 || table->size() != 2)
              return "has a median and a p90 and nothing else: { median = 4, p90 = 10 }";
            if (const std::string problem = read_whole(value.median, *median, 1, max);
                !problem.empty())
              return "median " + problem;
            if (const std::string problem = read_whole(value.p90, *p90, 1, max); !problem.empty())
              return "p90 " + problem;
            if (value.p90 < value.median)
              return "has a p90 below its median: a tenth of all are above the p90";
            if (value.p90 > 20 * value.median)
              return "has a p90 more than 20 times its median, which is no spread of one kind of "
                     "thing";
            access(out) = value;
            return {};
          }};
}

/// A part of all, 0 to 1; kept in millionths.
template <class T, class Access>
Field<T> share(std::string name, Access access) {
  T defaults{};
  return {std::move(name), "share", fmt::format("{:g}", access(defaults) / 1e6), "0 to 1",
          [=](T& out, const toml::node& node) -> std::string {
            const auto value = node.is_number() ? node.value<double>() : std::nullopt;
            if (!value) return wrong_type(node, "a number from 0 to 1");
            if (!(*value >= 0 && *value <= 1))
              return fmt::format("is {:g}; must be 0 to 1, so 5 percent are 0.05", *value);
            access(out) = static_cast<std::uint32_t>(std::lround(*value * 1e6));
            return {};
          }};
}

/// A whole number that is another's, or nothing, unless it is there.
template <class T, class Access>
Field<T> count_if(std::string name, Access access, std::string fallback, std::uint32_t max) {
  return {std::move(name), "number", std::move(fallback), fmt::format("1 to {}", max),
          [=](T& out, const toml::node& node) {
            std::uint32_t value = 0;
            std::string problem = read_whole(value, node, 1, max);
            if (problem.empty()) access(out) = value;
            return problem;
          }};
}

constexpr std::uint32_t weight_max = 10'000;
constexpr Duration latency_max = std::chrono::milliseconds{core::latency_ms_max};

std::string read_weights(std::vector<std::uint32_t>& out, const toml::node& node,
                         std::size_t count_min, std::size_t count_max) {
  const toml::array* const list = node.as_array();
  if (!list) return wrong_type(node, "a list of numbers, such as [70, 20, 10]");
  if (list->size() < count_min || list->size() > count_max)
    return count_min == count_max
               ? fmt::format("has {} numbers; must have {}", list->size(), count_max)
               : fmt::format("has {} numbers; must have {} to {}", list->size(), count_min,
                             count_max);
  for (const toml::node& element : *list)
    if (const std::string problem = read_whole(out.emplace_back(), element, 0, weight_max);
        !problem.empty())
      return fmt::format("number {} {}", out.size(), problem);
  if (std::ranges::all_of(out, [](std::uint32_t weight) { return weight == 0; }))
    return "has nothing but 0; somebody must come";
  return {};
}

constexpr std::size_t party_max = 64;

template <class T, class Access>
Field<T> party_sizes(Access access, std::string fallback) {
  return {"party_sizes", "list", std::move(fallback),
          fmt::format("1 to {} weights of 1, 2, 3, ... players", party_max),
          [=](T& out, const toml::node& node) {
            std::vector<std::uint32_t> weights;
            std::string problem = read_weights(weights, node, 1, party_max);
            if (problem.empty()) access(out) = std::move(weights);
            return problem;
          }};
}

template <class T, class Access>
Field<T> day(std::string name, Access access) {
  return {std::move(name), "list", "see below", "24 weights, from midnight by its own clock",
          [=](T& out, const toml::node& node) {
            std::vector<std::uint32_t> weights;
            std::string problem = read_weights(weights, node, 24, 24);
            if (problem.empty()) std::ranges::copy(weights, access(out).begin());
            return problem;
          }};
}

/// A number with up to three decimal places, in thousandths.
template <class T, class Access>
Field<T> decimal(std::string name, Access access, std::string fallback) {
  return {std::move(name), "decimal", std::move(fallback), "-1000000 to 1000000",
          [=](T& out, const toml::node& node) -> std::string {
            const auto value = node.is_number() ? node.value<double>() : std::nullopt;
            if (!value) return wrong_type(node, "a number");
            if (!(std::abs(*value) <= 1e6))
              return fmt::format("is {:g}; must be -1000000 to 1000000", *value);
            access(out) = std::llround(*value * 1000);
            return {};
          }};
}

/// Texts and how often each comes.
template <class T, class Access>
Field<T> text_weights(std::string name, Access access) {
  return {std::move(name), "table", "see below", "1 to 63 texts with weights, 0 to 1000",
          [=](T& out, const toml::node& node) -> std::string {
            const toml::table* const table = node.as_table();
            if (!table) return wrong_type(node, "a table such as { ice = 3, sand = 1 }");
            if (table->empty() || table->size() > 63)
              return fmt::format("has {} texts; must have 1 to 63", table->size());
            std::vector<std::pair<std::string, std::uint32_t>> values;
            for (const auto& [key, value] : *table) {
              values.emplace_back(key.str(), 0);
              const std::string problem = read_whole(values.back().second, value, 0, 1000);
              if (!problem.empty()) return fmt::format("{:.60} {}", key.str(), problem);
            }
            access(out) = std::move(values);
            return {};
          }};
}

/// How far it is to regions of queues.
template <class T, class Access>
Field<T> latencies(std::string name, Access access) {
  return {
      std::move(name), "table", "see below", "regions of queues, each with a duration or spread",
      [=](T& out, const toml::node& node) -> std::string {
        const toml::table* const table = node.as_table();
        if (!table) return wrong_type(node, R"(a table such as { eu = "30ms", us = "110ms" })");
        if (table->size() > core::regions_max)
          return fmt::format("has {} regions; must have at most {}", table->size(),
                             core::regions_max);
        std::vector<std::pair<std::string, Spread>> values;
        for (const auto& [key, value] : *table) {
          values.emplace_back(key.str(), Spread{});
          const std::string problem =
              read_spread(values.back().second, value, std::chrono::milliseconds{1}, latency_max);
          if (!problem.empty()) return fmt::format("{:.60} {}", key.str(), problem);
        }
        access(out) = std::move(values);
        return {};
      }};
}

// ---- The tables.

// The value of a key, for the field's kind.
#define AT(expression) [](auto& c) -> auto& { return c.expression; }

const std::vector<Field<Population>>& players_fields() {
  using P = Population;
  static const std::vector<Field<P>> fields{
      count<P>("peak", AT(players), 1, 1'000'000),
      count_if<P>("arrivals_per_hour", AT(arrivals), "as many as `peak` needs", 10'000'000),
      duration<P>("warm_up", AT(warm_up), seconds{0}, hours{12}),
      integer<P>("skill_mean", AT(skill_mean), -core::rating_max, core::rating_max),
      count<P>("skill_deviation", AT(skill_deviation), 0, 100'000),
      count<P>("rating_error", AT(rating_error), 0, 100'000),
      share<P>("newcomers", AT(newcomers)),
      count<P>("rating_k", AT(rating_k), 0, 1000),
      party_sizes<P>(AT(party_sizes), "[100]: everybody alone"),
      count<P>("party_deviation", AT(party_deviation), 0, 100'000),
  };
  return fields;
}

const std::vector<Field<Population>>& session_fields() {
  using P = Population;
  static const std::vector<Field<P>> fields{
      count_spread<P>("matches", AT(matches), 1000),
      spread<P>("match_length", AT(match), seconds{1}, hours{24}),
      spread<P>("pause", AT(pause), seconds{0}, hours{24}),
      spread<P>("patience", AT(patience), seconds{1}, hours{24}),
      share<P>("tries_again", AT(tries_again)),
  };
  return fields;
}

const std::vector<Field<Population>>& servers_fields() {
  using P = Population;
  static const std::vector<Field<P>> fields{
      spread<P>("boot", AT(boot), seconds{0}, hours{1}),
      share<P>("launch_failures", AT(launch_failures)),
      share<P>("crashes", AT(crashes)),
      count_if<P>("servers_max", AT(servers_max), "each fleet's", 60'000),
  };
  return fields;
}

const std::vector<Field<Region>>& region_fields() {
  static const std::vector<Field<Region>> fields{
      own_name<Region>(AT(name)),
      count<Region>("weight", AT(weight), 1, weight_max),
      integer<Region>("utc_offset", AT(utc_offset), -12, 14),
      day<Region>("hours", AT(hours)),
      latencies<Region>("latency", AT(latency)),
  };
  return fields;
}

const std::vector<Field<QueueHabits>>& queue_fields() {
  using Q = QueueHabits;
  static const std::vector<Field<Q>> fields = [] {
    Field<Q> name = own_name<Q>(AT(queue));
    name.range = "the name of a [[queue]] of the configuration";
    return std::vector<Field<Q>>{
        std::move(name),
        count<Q>("weight", AT(weight), 0, weight_max),
        party_sizes<Q>(AT(party_sizes), "those of [players]"),
        spread_or<Q>("match_length", AT(match), "that of [session]", seconds{1}, hours{24}),
    };
  }();
  return fields;
}

const std::vector<Field<AttributeHabits>>& attribute_fields() {
  using A = AttributeHabits;
  static const std::vector<Field<A>> fields = [] {
    Field<A> name = text<A>("name", AT(attribute), 64, required);
    name.range = "an attribute that a rule of a queue names";
    return std::vector<Field<A>>{
        std::move(name),
        text_weights<A>("values", AT(values)),
        decimal<A>("mean", AT(mean), "see below"),
        decimal<A>("deviation", AT(deviation), "see below"),
    };
  }();
  return fields;
}
#undef AT

constexpr std::array<std::string_view, 6> tables{"players", "session", "servers",
                                                 "region",  "queue",   "attribute"};

class Checker {
 public:
  Checker(std::span<const core::Config> rules, ConfigProblems& problems)
      : rules_(rules), problems_(problems) {}

  void region(const Region& region, const ConfigLines& lines) {
    const auto [first, added] = seen_.emplace("region " + region.name, lines.of("name"));
    if (!added) twice(lines, "region", region.name, first->second);
    std::vector<std::string_view> names;
    for (const core::Config& config : rules_)
      for (const core::QueueConfig& queue : config.queues)
        for (const core::RegionConfig& there : queue.region) names.push_back(there.name);
    for (const auto& [name, spread] : region.latency)
      if (std::ranges::find(names, name) == names.end())
        problems_.error(lines.of("latency"), "region.latency",
                        fmt::format("no queue of the configuration has a region \"{:.60}\"{}", name,
                                    did_you_mean(name, names)));
  }

  void queue(const QueueHabits& queue, const ConfigLines& lines) {
    const auto [first, added] = seen_.emplace("queue " + queue.queue, lines.of("name"));
    if (!added) twice(lines, "queue", queue.queue, first->second);
    std::vector<std::string_view> names;
    bool entrance = false;
    for (const core::Config& config : rules_)
      for (core::QueueIndex i = 0; i < config.queues.size(); ++i) {
        names.push_back(config.queues[i].name);
        const auto doors = population::entrances(config);
        if (config.queues[i].name == queue.queue && std::ranges::find(doors, i) != doors.end())
          entrance = true;
      }
    if (queue.queue.empty()) return;
    if (std::ranges::find(names, queue.queue) == names.end())
      problems_.error(lines.of("name"), "queue.name",
                      fmt::format("the configuration has no queue \"{}\"{}", queue.queue,
                                  did_you_mean(queue.queue, names)));
    else if (!entrance && lines.has("weight"))
      problems_.error(lines.of("weight"), "queue.weight",
                      fmt::format("players come to {} by another queue's timeout_queue alone; "
                                  "leave it out",
                                  queue.queue));
  }

  void attribute(const AttributeHabits& habits, const ConfigLines& lines) {
    const auto [first, added] = seen_.emplace("attribute " + habits.attribute, lines.of("name"));
    if (!added) twice(lines, "attribute", habits.attribute, first->second);
    std::vector<std::string_view> names, texts;
    bool text = false, number = false;
    for (const core::Config& config : rules_)
      for (const core::QueueConfig& queue : config.queues)
        for (const core::RuleConfig& rule : queue.rules) {
          names.push_back(rule.attribute);
          if (rule.attribute != habits.attribute) continue;
          const bool of_texts =
              rule.kind == core::RuleKind::equal || rule.kind == core::RuleKind::any_of;
          (of_texts ? text : number) = true;
          texts.insert(texts.end(), rule.values.begin(), rule.values.end());
        }
    if (!text && !number)
      return problems_.error(lines.of("name"), "attribute.name",
                             fmt::format("no rule of the configuration asks for \"{:.60}\"{}",
                                         habits.attribute, did_you_mean(habits.attribute, names)));
    if (text != lines.has("values") || number != lines.has("mean") ||
        number != lines.has("deviation"))
      return problems_.error(
          lines.table, "attribute",
          text
              ? fmt::format("{:.60} is a text: it has `values`, and nothing else", habits.attribute)
              : fmt::format("{:.60} is a number: it has `mean` and `deviation`, and nothing else",
                            habits.attribute));
    if (number && habits.deviation < 0)
      problems_.error(lines.of("deviation"), "attribute.deviation", "is below 0");
    std::uint64_t weights = 0;
    for (const auto& [value, weight] : habits.values) {
      weights += weight;
      if (std::ranges::find(texts, value) == texts.end())
        problems_.error(lines.of("values"), "attribute.values",
                        fmt::format("\"{:.60}\" is not among the rule's values{}", value,
                                    did_you_mean(value, texts)));
    }
    if (text && weights == 0)
      problems_.error(lines.of("values"), "attribute.values",
                      "has nothing but 0; everybody sends something");
  }

  /// Every queue that players could choose has a weight of 0.
  void weights(const Population& population, int line) {
    for (const core::Config& config : rules_) {
      const auto doors = population::entrances(config);
      const bool nobody = std::ranges::all_of(doors, [&](core::QueueIndex i) {
        const auto own =
            std::ranges::find(population.queues, config.queues[i].name, &QueueHabits::queue);
        return own != population.queues.end() && own->weight == 0;
      });
      if (!doors.empty() && nobody)
        return problems_.error(line, "queue.weight", "is 0 for every queue; nobody would play");
    }
  }

 private:
  void twice(const ConfigLines& lines, std::string_view table, std::string_view name, int first) {
    problems_.error(lines.of("name"), fmt::format("{}.name", table),
                    fmt::format("\"{:.60}\" is in line {} already", name, first));
  }

  std::span<const core::Config> rules_;
  ConfigProblems& problems_;
  std::map<std::string, int> seen_;
};

template <class T>
void add_keys(std::vector<ConfigKey>& keys, std::string_view table,
              const std::vector<Field<T>>& fields) {
  for (const Field<T>& f : fields)
    keys.push_back({std::string(table), f.name, f.type, f.fallback, f.range});
}

}  // namespace

PopulationResult parse_population(std::string_view text, const std::string& file,
                                  std::span<const core::Config> rules) {
  ConfigProblems problems(file);
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    problems.error(static_cast<int>(error.source().begin.line), "",
                   std::string(error.description()));
    return std::unexpected(problems.take());
  }
  const toml::table& root = parsed.table();
  for (const auto& [key, node] : root)
    if (std::ranges::find(tables, key.str()) == tables.end())
      problems.error(line_of(key), fmt::format("{:.60}", key.str()),
                     fmt::format("there is no such table{}; there are [players], [session], "
                                 "[servers], [[region]], [[queue]] and [[attribute]]",
                                 did_you_mean(key.str(), tables)));
  Population population;
  Checker check(rules, problems);
  if (const toml::table* table = table_at(root, "players", problems))
    read_table(*table, "players", players_fields(), population, problems);
  if (const toml::table* table = table_at(root, "session", problems))
    read_table(*table, "session", session_fields(), population, problems);
  if (const toml::table* table = table_at(root, "servers", problems))
    read_table(*table, "servers", servers_fields(), population, problems);
  for_each_table(root, "region", "region", problems, [&](const toml::table& table) {
    Region& region = population.regions.emplace_back();
    check.region(region, read_table(table, "region", region_fields(), region, problems));
  });
  int weights_line = 0;
  for_each_table(root, "queue", "queue", problems, [&](const toml::table& table) {
    QueueHabits& queue = population.queues.emplace_back();
    const ConfigLines lines = read_table(table, "queue", queue_fields(), queue, problems);
    if (queue.weight == 0) weights_line = lines.of("weight");
    check.queue(queue, lines);
  });
  for_each_table(root, "attribute", "attribute", problems, [&](const toml::table& table) {
    AttributeHabits& attribute = population.attributes.emplace_back();
    check.attribute(attribute,
                    read_table(table, "attribute", attribute_fields(), attribute, problems));
  });
  if (!problems.failed()) check.weights(population, weights_line);
  if (problems.failed()) return std::unexpected(problems.take());
  return population;
}

PopulationResult load_population(const std::filesystem::path& file,
                                 std::span<const core::Config> rules) {
  const auto text = read_config_text(file);
  if (!text)
    return std::unexpected(std::vector<ConfigProblem>{{file.string(), 0, "", text.error(), false}});
  return parse_population(*text, file.string(), rules);
}

std::vector<ConfigKey> population_keys() {
  std::vector<ConfigKey> keys;
  add_keys(keys, "players", players_fields());
  add_keys(keys, "session", session_fields());
  add_keys(keys, "servers", servers_fields());
  add_keys(keys, "region", region_fields());
  add_keys(keys, "queue", queue_fields());
  add_keys(keys, "attribute", attribute_fields());
  return keys;
}

}  // namespace muster::server
