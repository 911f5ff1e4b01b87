#pragma once
// The rules of the duel, apart from sockets. Both choose a move in secret, then:
//
//            attack        guard         feint
//   attack   both lose 2   attacker 1    feinter 3
//   guard    attacker 1    nothing       guard 2
//   feint    feinter 3     guard 2       both lose 1
//
// Who has no hit points left has lost; after 30 rounds who has fewer has.

#include <cstdint>
#include <optional>
#include <string_view>

namespace duel {

enum class Move { attack, guard, feint };

inline constexpr int hit_points_at_start = 10;
inline constexpr int rounds_max = 30;

inline constexpr std::string_view move_names[] = {"attack", "guard", "feint"};

inline std::string_view to_string(Move move) { return move_names[static_cast<int>(move)]; }

inline std::optional<Move> move_from(std::string_view word) {
  for (const Move move : {Move::attack, Move::guard, Move::feint})
    if (word == to_string(move) || word == to_string(move).substr(0, 1)) return move;
  return std::nullopt;
}

/// Hit points that `mine` costs its player against `theirs`.
inline int damage(Move mine, Move theirs) {
  constexpr int table[3][3] = {{2, 1, 0}, {0, 0, 2}, {3, 0, 1}};
  return table[static_cast<int>(mine)][static_cast<int>(theirs)];
}

/// A bot's move: the same for the same text and round, so that a game of bots can be repeated.
inline Move bot_move(std::string_view seed, int round) {
  std::uint32_t hash = 2166136261u + static_cast<std::uint32_t>(round);
  for (const char c : seed) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  hash = (hash ^ static_cast<std::uint32_t>(round)) * 2654435761u;
  return static_cast<Move>((hash >> 16) % 3);
}

}  // namespace duel
