#pragma once
// Simulated people: who connect, press Match Start, change their minds, lose their connection and
// come back, and now and then say things that make no sense.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/prng.h"
#include "core/config.h"
#include "core/effect.h"
#include "core/event.h"

namespace muster::sim {

class World;

class Crowd {
 public:
  Crowd(World& world, std::uint64_t seed);

  void start();
  /// From now on nobody starts a match or comes back.
  void quiet() { mood_ = Mood::quiet; }
  /// Everybody leaves for good.
  void leave();

  /// An effect sent to this person's session.
  void hear(std::uint32_t person, core::SessionId session, const core::Effect& effect);
  /// The lobby is gone, and all connections with it.
  void lobby_died();

  std::uint64_t unseed() { return prng_.next(); }

 private:
  enum class Mood : std::uint8_t { playing, quiet, leaving };
  struct Token {
    core::PlayerId player;
    core::Secret secret{};
  };
  struct Person {
    bool classic = false;
    core::SessionId session;
    core::SessionId other;  // An older connection, while a newer one resumes.
    bool identified = false;
    std::uint32_t request = 0;
    std::optional<Token> token;
    bool waiting = false;  // As they were told.
    bool playing = false;
    core::Rating skill = 0;
    std::string party_code;               // As they were told; empty: none.
    std::vector<core::PlayerId> members;  // Of it, the leader first.
    bool offered = false;                 // A match that they have not answered.
  };

  void act(std::uint32_t index);
  void act_later(std::uint32_t index);
  void connect(std::uint32_t index);
  void hello(Person& person, std::uint32_t index);
  void resume(Person& person);
  void start_match(Person& person);
  void rate(const Person& person, core::PlayerId player);
  core::Attribute draw_attribute(const core::RuleConfig& rule);
  bool mind_party(Person& person);
  void mind_offer(std::uint32_t index);
  void answer_offer(std::uint32_t index);
  void talk_nonsense(Person& person, std::uint32_t index);
  void disconnect(Person& person);
  bool chance(std::uint32_t ppm) { return ppm > 0 && prng_.chance_ppm(ppm); }
  core::Secret draw_secret();

  World& world_;
  Prng prng_;
  std::vector<Person> people_;
  Mood mood_ = Mood::playing;
};

}  // namespace muster::sim
