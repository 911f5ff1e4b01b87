#include "sim/history.h"

#include <fmt/format.h>

#include <bit>
#include <type_traits>
#include <utility>

#include "sim/fields.h"

namespace muster::sim {
namespace {

/// Folds a field.
class Fold {
 public:
  explicit Fold(Digest& digest) : digest_(digest) {}

  template <class T>
  void operator()(const char*, const T& value) {
    add(value);
  }

 private:
  template <class T>
  void add(const T& value) {
    if constexpr (std::is_enum_v<T>)
      digest_.add(static_cast<std::underlying_type_t<T>>(value));
    else
      digest_.add(value);
  }
  void add(const std::string& text) { digest_.add(std::string_view{text}); }
  void add(const Duration& duration) { digest_.add(duration.count()); }
  void add(const core::Secret& secret) {
    for (const std::uint8_t byte : secret) digest_.add(byte);
  }
  void add(const core::Attribute& attribute) {
    add(attribute.name);
    digest_.add(attribute.value.index());
    if (const auto* number = std::get_if<double>(&attribute.value))
      digest_.add(std::bit_cast<std::uint64_t>(*number));
    if (const auto* text = std::get_if<std::string>(&attribute.value)) add(*text);
    if (const auto* texts = std::get_if<std::vector<std::string>>(&attribute.value)) add(*texts);
  }
  void add(const core::NamedPort& port) { add(port.name), digest_.add(port.port); }
  void add(const core::TeamBots& bots) { digest_.add(bots.team), digest_.add(bots.count); }
  void add(const core::ServerReport& report) { fields(report, *this); }
  void add(const core::Standing& standing) { fields(standing, *this); }
  void add(const core::ResultPlayer& player) { fields(player, *this); }
  void add(const core::RegionLatency& latency) { fields(latency, *this); }
  void add(const core::StoredRating& rating) { fields(rating, *this); }
  void add(const core::PartyView& member) { fields(member, *this); }
  void add(const core::AccountRating& rating) { fields(rating, *this); }
  void add(const std::shared_ptr<const core::MatchResult>& result) { fields(*result, *this); }
  /// What tells one configuration of a run from another.
  void add(const std::shared_ptr<const core::Config>& config) {
    for (const core::FleetConfig& fleet : config->fleets) {
      add(fleet.name), digest_.add(core::launch_version(fleet)), digest_.add(fleet.ready_min);
      digest_.add(fleet.servers_max), digest_.add(fleet.ports.first);
      digest_.add(fleet.ports.last);
    }
    for (const core::QueueConfig& queue : config->queues) {
      add(queue.name), digest_.add(queue.fleet), digest_.add(queue.players);
      for (const core::RegionConfig& region : queue.region)
        add(region.name), digest_.add(region.fleet);
    }
  }
  template <class T>
  void add(const std::vector<T>& values) {
    digest_.add(values.size());
    for (const T& value : values) add(value);
  }
  void add(const std::shared_ptr<const core::Roster>& roster) {
    digest_.add(roster != nullptr);
    if (!roster) return;
    for (const core::RosterEntry& entry : *roster) {
      digest_.add(entry.player), add(entry.name), digest_.add(entry.team);
      digest_.add(entry.seats), add(entry.attributes);
    }
  }

  Digest& digest_;
};

/// Appends " name=value"; fields that say nothing (0, empty, false) are left out.
class Text {
 public:
  explicit Text(std::string& out) : out_(out) {}

  template <class T>
  void operator()(const char* name, const T& value) {
    const std::string text = show(value);
    if (!text.empty()) out_ += fmt::format(" {}={}", name, text);
  }

 private:
  template <class Tag>
  static std::string show(Id<Tag> id) {
    return id ? to_string(id) : "";
  }
  static std::string show(bool value) { return value ? "yes" : ""; }
  template <class T>
    requires std::is_integral_v<T>
  static std::string show(T value) {
    return value == 0 ? "" : std::to_string(value);
  }
  static std::string show(core::Error error) {
    return error == core::Error::none ? "" : std::string{core::code(error)};
  }
  static std::string show(core::TicketState state) { return std::string{core::to_string(state)}; }
  static std::string show(core::ForkParentState state) {
    return std::string{core::to_string(state)};
  }
  static std::string show(core::MatchEnd end) { return std::string{core::to_string(end)}; }
  static std::string show(core::LaunchError error) {
    return error == core::LaunchError::port_taken       ? "port_taken"
           : error == core::LaunchError::command_failed ? "command_failed"
                                                        : "limit_reached";
  }
  static std::string show(const std::string& text) {
    return text.empty() ? "" : fmt::format("\"{}\"", text);
  }
  static std::string show(Duration duration) {
    return duration == Duration::zero()
               ? ""
               : fmt::format("{}ms", duration / std::chrono::milliseconds{1});
  }
  static std::string show(const core::Secret& secret) {
    return fmt::format("{:02x}{:02x}…", secret[0], secret[1]);
  }
  static std::string show(const std::vector<core::Attribute>& attributes) {
    return attributes.empty() ? "" : std::to_string(attributes.size());
  }
  static std::string show(const core::NamedPorts& ports) {
    std::string text;
    for (const core::NamedPort& port : ports)
      text += fmt::format("{}{}:{}", text.empty() ? "" : ",", port.name, port.port);
    return text;
  }
  static std::string show(const std::vector<core::TeamBots>& bots) {
    std::string text;
    for (const core::TeamBots& team : bots)
      text += fmt::format("{}{}:{}", text.empty() ? "" : ",", team.team, team.count);
    return text;
  }
  /// Of something that has fields itself.
  template <class T>
    requires requires(const T& t, Text f) { fields(t, f); }
  static std::string show(const std::vector<T>& values) {
    std::string text = "[";
    for (const T& value : values) text += fmt::format("({})", show_fields(value));
    return text + ']';
  }
  template <class T>
  static std::string show_fields(const T& value) {
    std::string text;
    fields(value, Text{text});
    return text.empty() ? text : text.substr(1);
  }
  static std::string show(const std::shared_ptr<const core::MatchResult>& result) {
    return fmt::format("({})", show_fields(*result));
  }
  static std::string show(const std::shared_ptr<const core::Config>& config) {
    std::string text;
    for (const core::FleetConfig& fleet : config->fleets)
      text += fmt::format("{}@{}:{}-{},ready={}..{},max={} ", fleet.name,
                          core::version_text(core::launch_version(fleet)), fleet.ports.first,
                          fleet.ports.last, fleet.ready_min, fleet.ready_max, fleet.servers_max);
    for (const core::QueueConfig& queue : config->queues)
      text += fmt::format("{}->{}x{} ", queue.name, queue.fleet, queue.players);
    return text;
  }
  static std::string show(const std::shared_ptr<const core::Roster>& roster) {
    if (!roster) return "";
    std::string text;
    for (const core::RosterEntry& entry : *roster)
      text += fmt::format("{}{}x{}", text.empty() ? "" : ",", to_string(entry.player), entry.seats);
    return text;
  }

  std::string& out_;
};

}  // namespace

void History::add(Time now, const core::Event& event, const core::Effects& effects) {
  digest_.add(now);
  digest_.add(event.index());
  std::visit([&](const auto& e) { fields(e, Fold{digest_}); }, event);
  for (const core::Effect& effect : effects) {
    digest_.add(effect.index());
    std::visit([&](const auto& e) { fields(e, Fold{digest_}); }, effect);
  }
  keep({now, {}, event, effects});
}

void History::note(Time now, std::string text) { keep({now, std::move(text), {}, {}}); }

void History::keep(Entry entry) {
  last_.push_back(std::move(entry));
  if (last_.size() > kept_max) last_.pop_front();
}

std::string History::tail() const {
  std::string out;
  for (const Entry& entry : last_) {
    out += to_text(entry.at);
    if (!entry.note.empty()) {
      out += fmt::format("  -- {}\n", entry.note);
      continue;
    }
    out += fmt::format("  {}\n", to_text(entry.event));
    for (const core::Effect& effect : entry.effects)
      out += fmt::format("      -> {}\n", to_text(effect));
  }
  return out;
}

std::string to_text(const core::Event& event) {
  std::string out{core::name_of(event)};
  std::visit([&](const auto& e) { fields(e, Text{out}); }, event);
  return out;
}

std::string to_text(const core::Effect& effect) {
  std::string out{core::name_of(effect)};
  std::visit([&](const auto& e) { fields(e, Text{out}); }, effect);
  return out;
}

std::string to_text(const core::State& state) {
  std::string out;
  state.tickets.for_each([&](core::TicketId id, const core::Ticket& ticket) {
    out += fmt::format("ticket {}: {}, queue {}, seats {}, since {}{}\n", to_string(id),
                       core::to_string(ticket.state), ticket.queue, ticket.seats,
                       to_text(ticket.since), ticket.held ? ", held" : "");
  });
  state.matches.for_each([&](core::MatchId id, const core::Match& match) {
    out += fmt::format("match {}: {}, fleet {}, server {}, players {}, since {}\n", to_string(id),
                       core::to_string(match.state), match.fleet, to_string(match.server),
                       match.players.size(), to_text(match.since));
  });
  state.servers.for_each([&](core::ServerId id, const core::Server& server) {
    out +=
        fmt::format("server {}: {}, fleet {}, port {}, since {}{}{}\n", to_string(id),
                    core::to_string(server.state), server.fleet, server.port, to_text(server.since),
                    server.stopping ? ", stopping" : "", server.session ? ", connected" : "");
  });
  return out;
}

std::string to_text(Time at) {
  const std::int64_t micros = at.time_since_epoch() / std::chrono::microseconds{1};
  return fmt::format("{:>5}.{:06}s", micros / 1'000'000, micros % 1'000'000);
}

}  // namespace muster::sim
