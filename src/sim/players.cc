#include "sim/players.h"

#include <fmt/format.h>

#include "sim/world.h"

namespace muster::sim {

Crowd::Crowd(World& world, std::uint64_t seed) : world_(world), prng_(seed) {}

void Crowd::start() {
  const CrowdSetting& setting = world_.setting().crowd;
  people_.resize(setting.people);
  for (std::uint32_t i = 0; i < people_.size(); ++i) {
    people_[i].classic = chance(setting.classic_ppm);
    people_[i].skill = static_cast<core::Rating>(prng_.between(0, setting.skill_max));
    act_later(i);
  }
}

void Crowd::act_later(std::uint32_t index) {
  const std::int64_t think = world_.setting().crowd.think.count();
  world_.after(Duration{prng_.between(think / 8, think * 15 / 8)}, [this, index] { act(index); });
}

void Crowd::act(std::uint32_t index) {
  if (mood_ == Mood::leaving) return;
  act_later(index);
  Person& person = people_[index];
  const FaultRates& rates = world_.rates();
  if (!person.session) {
    if (mood_ == Mood::playing) connect(index);
    return;
  }
  if (chance(rates.disconnect)) return disconnect(person);
  if (mood_ == Mood::playing && chance(rates.nonsense)) return talk_nonsense(person, index);
  if (!person.identified) {
    if (mood_ == Mood::playing && prng_.below(4) == 0) hello(person, index);  // No answer so far.
    return;
  }
  if (chance(rates.second_device) && !person.classic && person.token && !person.other) {
    person.other = person.session;
    person.session = world_.open_session({SessionOwner::Kind::person, index, {}}, true);
    person.identified = false;
    return resume(person);
  }
  if (person.playing) {
    if (chance(rates.leave) && !person.classic)
      world_.say(person.session, core::LeaveMatch{{}, ++person.request});
  } else if (person.waiting) {
    if (!chance(rates.cancel)) return;
    if (person.classic) return disconnect(person);  // The only way they have.
    world_.say(person.session, core::CancelMatch{{}, ++person.request});
  } else if (mood_ == Mood::playing) {
    if (chance(world_.setting().crowd.parties_ppm) && !person.classic && mind_party(person)) return;
    start_match(person);
  }
}

void Crowd::connect(std::uint32_t index) {
  Person& person = people_[index];
  person.session = world_.open_session({SessionOwner::Kind::person, index, {}}, !person.classic);
  person.identified = person.waiting = person.playing = false;
  if (chance(world_.rates().nonsense)) start_match(person);  // Before saying hello.
  if (!person.classic && person.token && prng_.below(4) != 0) return resume(person);
  hello(person, index);
}

void Crowd::hello(Person& person, std::uint32_t index) {
  std::string name = fmt::format("{}{}", prng_.below(8) == 0 ? "жук " : "p", index);
  if (chance(world_.rates().nonsense)) name = prng_.below(2) == 0 ? "" : "line\nbreak";
  world_.say(person.session, core::Hello{{}, ++person.request, std::move(name), draw_secret()});
}

void Crowd::resume(Person& person) {
  Token token = *person.token;
  if (chance(world_.rates().stolen_token)) {
    // Somebody else's player, without knowing the secret.
    const Person& victim = people_[prng_.below(static_cast<std::uint32_t>(people_.size()))];
    if (victim.token) token.player = victim.token->player;
    token.secret = draw_secret();
  }
  world_.say(person.session, core::ResumeSession{{}, ++person.request, token.player, token.secret});
}

void Crowd::start_match(Person& person) {
  const Setting& setting = world_.setting();
  const auto queue = prng_.below(static_cast<std::uint32_t>(setting.config.queues.size()));
  core::StartMatch start;
  start.request = ++person.request;
  if (!person.classic) start.queue = setting.config.queues[queue].name;
  std::size_t chosen = queue;
  if (person.classic) {
    chosen = 0;  // The first, if none is named.
    for (std::size_t i = 0; i < setting.config.queues.size(); ++i)
      if (setting.config.queues[i].name == setting.config.classic_queue) chosen = i;
  }
  if (setting.crowd.seats_vary.contains(setting.config.queues[chosen].name) && prng_.below(2) == 0)
    start.seats =
        static_cast<std::int32_t>(prng_.between(1, setting.config.queues[chosen].players));
  if (chance(setting.crowd.attributes_ppm)) {
    start.attributes.push_back({"skill", 12.5});
    start.attributes.push_back({"maps", std::vector<std::string>{"arena", "canyon"}});
  }
  for (const core::RuleConfig& rule : setting.config.queues[chosen].rules)
    if (!person.classic) start.attributes.push_back(draw_attribute(rule));
  for (const core::RegionConfig& region : setting.config.queues[chosen].region)
    if (!person.classic && prng_.below(4) != 0)
      start.latency.push_back({region.name, static_cast<std::uint32_t>(prng_.between(5, 260))});
  if (!person.classic && prng_.below(4) == 0) {
    start.blocked.emplace();
    const Person& other = people_[prng_.below(static_cast<std::uint32_t>(people_.size()))];
    if (other.token) start.blocked->push_back(other.token->player);
  }
  world_.say(person.session, std::move(start));
}

/// Whoever has nothing to do looks after company. False: there was nothing to say.
bool Crowd::mind_party(Person& person) {
  const auto say = [&]<class E>(E event) {
    event.request = ++person.request;
    world_.say(person.session, std::move(event));
    return true;
  };
  if (person.party_code.empty()) {
    const Person& other = people_[prng_.below(static_cast<std::uint32_t>(people_.size()))];
    if (!other.party_code.empty() && prng_.below(8) != 0)
      return say(core::JoinParty{{}, 0, other.party_code});
    if (prng_.below(8) == 0) return say(core::JoinParty{{}, 0, "AAAA2222"});
    core::CreateParty create;
    for (std::size_t i = 0; i < core::party_code_bytes; ++i)
      create.code += core::party_code_alphabet[prng_.below(core::party_code_alphabet.size())];
    return say(std::move(create));
  }
  const auto any = [&] {
    return person.members[prng_.below(static_cast<std::uint32_t>(person.members.size()))];
  };
  switch (prng_.below(16)) {
    case 0:
      return say(core::LeaveParty{});
    case 1:
      return say(core::KickFromParty{{}, 0, any()});
    case 2:
      return say(core::PromoteInParty{{}, 0, any()});
    case 3:
      return say(core::SetPartyAttributes{{}, 0, {{"skill", 7.5}}});
    default:
      return false;
  }
}

/// They look up, and answer after a while, if at all.
void Crowd::mind_offer(std::uint32_t index) {
  if (prng_.below(8) == 0) return;  // Not there.
  world_.after(Duration{prng_.between(0, Duration{core::seconds{2}}.count())},
               [this, index] { answer_offer(index); });
}

void Crowd::answer_offer(std::uint32_t index) {
  Person& person = people_[index];
  if (!person.session || !person.identified || !person.offered) return;
  if (prng_.below(12) == 0)
    world_.say(person.session, core::DeclineMatch{{}, ++person.request});
  else
    world_.say(person.session, core::AcceptMatch{{}, ++person.request});
}

core::Attribute Crowd::draw_attribute(const core::RuleConfig& rule) {
  if (rule.values.empty()) return {rule.attribute, static_cast<double>(prng_.below(20))};
  const auto any = [&] {
    return rule.values[prng_.below(static_cast<std::uint32_t>(rule.values.size()))];
  };
  if (rule.kind == core::RuleKind::equal) return {rule.attribute, any()};
  return {rule.attribute, std::vector<std::string>{any(), any()}};
}

/// Whoever runs the lobby knows how good a player is.
void Crowd::rate(const Person& person, core::PlayerId player) {
  const auto& queues = world_.setting().config.queues;
  for (const core::QueueConfig& queue : queues)
    if (queue.ruled())
      world_.after(Duration::zero(),
                   [this, rating = core::SetRating{player, queue.name, person.skill}] {
                     world_.step(rating);
                   });
}

void Crowd::talk_nonsense(Person& person, std::uint32_t index) {
  const auto request = prng_.below(8) == 0 ? 0 : ++person.request;  // 0: asks for no number back.
  core::StartMatch start;
  start.request = request;
  switch (prng_.below(12)) {
    case 0:
      start.queue = "no-such-queue";
      return world_.say(person.session, std::move(start));
    case 1:
      start.seats = static_cast<std::int32_t>(prng_.between(-2, 0));
      return world_.say(person.session, std::move(start));
    case 2:
      start.seats = 1000;
      return world_.say(person.session, std::move(start));
    case 3:
      start.attributes.resize(world_.setting().config.attributes_max + 1);
      return world_.say(person.session, std::move(start));
    case 4:  // Twice at once.
      start_match(person);
      return start_match(person);
    case 5:
      return world_.say(person.session, core::CancelMatch{{}, request});
    case 6:
      return world_.say(person.session, core::LeaveMatch{{}, request});
    case 7:
      return hello(person, index);
    case 8:  // A player who says what only game servers say is closed.
      return world_.say(person.session, core::ClassicServerLogin{{}, 7000});
    case 9:
      return world_.say(person.session, core::AcceptMatch{{}, request});
    case 10:
      return world_.say(person.session, core::KickFromParty{{}, request, core::PlayerId{1, 1}});
    default:
      return world_.say(person.session, core::ClassicServerReset{});
  }
}

void Crowd::disconnect(Person& person) {
  if (person.other) world_.hang_up(person.other);
  if (person.session) world_.hang_up(person.session);
  person.session = person.other = {};
  person.identified = person.waiting = person.playing = false;
}

void Crowd::leave() {
  mood_ = Mood::leaving;
  for (Person& person : people_) disconnect(person);
}

void Crowd::lobby_died() {
  for (Person& person : people_) {
    person.session = person.other = {};
    person.identified = person.waiting = person.playing = false;
  }
}

void Crowd::hear(std::uint32_t index, core::SessionId session, const core::Effect& effect) {
  Person& person = people_[index];
  if (std::holds_alternative<core::CloseSession>(effect)) {
    if (session == person.other) person.other = {};
    if (session != person.session) return;
    person.session = {};
    person.identified = person.waiting = person.playing = false;
    return;
  }
  if (session != person.session) return;  // Left behind.
  if (const auto* welcome = std::get_if<core::SendWelcome>(&effect)) {
    person.identified = true;
    person.party_code.clear();  // Told anew, if there is one.
    person.offered = false;
    person.token = Token{welcome->player, welcome->secret};
    if (!welcome->resumed) rate(person, welcome->player);
    if (person.other && !welcome->resumed) world_.hang_up(person.other), person.other = {};
  } else if (const auto* error = std::get_if<core::SendError>(&effect)) {
    const bool refused = error->error == core::Error::session_expired ||
                         error->error == core::Error::session_token_invalid;
    if (refused) person.token.reset();
    if (person.other && refused) world_.hang_up(person.other), person.other = {};
    if (!person.identified && mood_ == Mood::playing && error->error != core::Error::lobby_full)
      hello(person, index);
  } else if (const auto* ticket = std::get_if<core::SendTicket>(&effect)) {
    person.waiting = ticket->state == core::TicketState::queued ||
                     ticket->state == core::TicketState::matched ||
                     ticket->state == core::TicketState::offered;
    person.playing = false;
    const bool asked = ticket->state == core::TicketState::offered && !ticket->you_accepted;
    if (asked && !person.offered) mind_offer(index);
    person.offered = asked;
  } else if (const auto* party = std::get_if<core::SendParty>(&effect)) {
    person.party_code = party->code;
    person.members.clear();
    for (const core::PartyView& member : party->members) person.members.push_back(member.player);
  } else if (std::holds_alternative<core::SendAssignment>(effect)) {
    person.waiting = false;
    person.playing = true;
  } else if (std::holds_alternative<core::SendMatchEnded>(effect)) {
    person.playing = false;
  }
}

core::Secret Crowd::draw_secret() {
  core::Secret secret;
  for (std::uint8_t& byte : secret) byte = static_cast<std::uint8_t>(prng_.next() >> 56);
  return secret;
}

}  // namespace muster::sim
