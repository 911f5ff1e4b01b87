// Parties: players who stay together, from match to match.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "core/turn.h"

namespace muster::core {
namespace {

/// So many wrong codes in so long: then a player has to wait. Codes have 31^8 values.
constexpr std::uint32_t wrong_codes_max = 10;
constexpr Duration wrong_codes_window = minutes{1};

bool party_code_valid(const std::string& code) {
  return code.size() == party_code_bytes &&
         code.find_first_not_of(party_code_alphabet) == code.npos;
}

}  // namespace

void Turn::on(const CreateParty& e) {
  const PlayerId id = player_of(e.session, e.request);
  if (!id || !may_enter_party(id, e.session, e.request)) return;
  if (!party_code_valid(e.code) || s_.party_codes.contains(e.code))
    return refuse(e.session, e.request, Error::party_code_taken);
  const PartyId party_id = s_.parties.emplace();
  Party& party = s_.parties[party_id];
  party.code = e.code;
  party.members.push_back({id, {}});
  s_.party_codes.emplace(e.code, party_id);
  s_.players[id].party = party_id;
  ++s_.totals.parties;
  send_party(party_id, {id, e.request});
}

/// Who has a ticket takes it back first: whoever joins others goes where they go.
bool Turn::may_enter_party(PlayerId id, SessionId session, std::uint32_t request) {
  const Player& player = s_.players[id];
  Error error = Error::none;
  if (!s_.sessions.find(session)->resumable) error = Error::message_invalid;  // Could not be told.
  if (player.ticket) error = Error::already_queued;
  if (player.party) error = Error::already_in_party;
  if (error != Error::none) refuse(session, request, error);
  return error == Error::none;
}

void Turn::on(const JoinParty& e) {
  const PlayerId id = player_of(e.session, e.request);
  if (!id || !may_enter_party(id, e.session, e.request)) return;
  Player& player = s_.players[id];
  if (now_ - player.wrong_codes_since >= wrong_codes_window) player.wrong_codes = 0;
  if (player.wrong_codes >= wrong_codes_max) {
    const Duration left = player.wrong_codes_since + wrong_codes_window - now_;
    emit(SendError{e.session, e.request, Error::party_codes_wrong, {}, left});
    return;
  }
  const auto found = s_.party_codes.find(e.code);
  if (found == s_.party_codes.end()) {
    if (player.wrong_codes++ == 0) player.wrong_codes_since = now_;
    return refuse(e.session, e.request, Error::party_not_found);
  }
  const PartyId party_id = found->second;
  Party& party = s_.parties[party_id];
  if (party.members.size() >= s_.config.party_size_max)
    return refuse(e.session, e.request, Error::party_full,
                  "party_size_max is " + std::to_string(s_.config.party_size_max));
  if (ticket_of(party)) return refuse(e.session, e.request, Error::party_queued);
  party.members.push_back({id, {}});
  player.party = party_id;
  send_party(party_id, {id, e.request});
}

void Turn::on(const LeaveParty& e) {
  const PlayerId id = party_member_of(e.session, e.request);
  if (!id) return;
  decline_if_offered(id);
  leave_party(id);
  emit(SendParty{e.session, e.request, {}, {}, {}, Error::none});
}

void Turn::on(const KickFromParty& e) {
  const PlayerId id = party_leader_of(e.session, e.request);
  if (!id) return;
  const PartyId party_id = s_.players[id].party;
  const Player* const kicked = s_.players.find(e.player);
  if (!kicked || kicked->party != party_id || e.player == id)
    return refuse(e.session, e.request, Error::not_party_member);
  if (is_offered(kicked->ticket)) return refuse(e.session, e.request, Error::match_offered);
  const SessionId session = kicked->session;
  leave_party(e.player, {id, e.request});
  if (session) emit(SendParty{session, 0, {}, {}, {}, Error::party_kicked});
}

void Turn::on(const PromoteInParty& e) {
  const PlayerId id = party_leader_of(e.session, e.request);
  if (!id) return;
  const PartyId party_id = s_.players[id].party;
  auto& members = s_.parties[party_id].members;
  const auto promoted = std::ranges::find(members, e.player, &PartyMember::player);
  if (promoted == members.end()) return refuse(e.session, e.request, Error::not_party_member);
  std::rotate(members.begin(), promoted, promoted + 1);
  send_party(party_id, {id, e.request});
}

void Turn::on(const SetPartyAttributes& e) {
  const PlayerId id = party_member_of(e.session, e.request);
  if (!id) return;
  if (const std::string wrong = wrong_with(e.attributes); !wrong.empty())
    return refuse(e.session, e.request, Error::attributes_invalid, wrong);
  const PartyId party_id = s_.players[id].party;
  auto& members = s_.parties[party_id].members;
  std::ranges::find(members, id, &PartyMember::player)->attributes = e.attributes;
  send_party(party_id, {id, e.request});
}

/// The identified player of a session, who is in a party; otherwise refuses and returns none.
PlayerId Turn::party_member_of(SessionId session, std::uint32_t request) {
  const PlayerId id = player_of(session, request);
  if (!id || s_.players[id].party) return id;
  refuse(session, request, Error::not_in_party);
  return {};
}

PlayerId Turn::party_leader_of(SessionId session, std::uint32_t request) {
  const PlayerId id = party_member_of(session, request);
  if (!id || leader_of(s_.parties[s_.players[id].party]) == id) return id;
  refuse(session, request, Error::not_party_leader);
  return {};
}

/// The ticket that the party, or what is left of it after a match, is on.
TicketId Turn::ticket_of(const Party& party) const {
  for (const PartyMember& member : party.members)
    if (const TicketId ticket = s_.players[member.player].ticket) return ticket;
  return {};
}

/// The ticket goes on with those who are left. Of those, the next oldest leads if nobody does; of
/// nobody there is no party. Who leaves is told by the caller.
void Turn::leave_party(PlayerId id, Asker asker) {
  Player& player = s_.players[id];
  const PartyId party_id = std::exchange(player.party, PartyId{});
  Party& party = s_.parties[party_id];
  std::erase_if(party.members, [&](const PartyMember& m) { return m.player == id; });
  const TicketId ticket = player.ticket;
  if (party.members.empty()) {
    s_.party_codes.erase(party.code);
    s_.parties.erase(party_id);
  } else {
    send_party(party_id, asker);
  }
  if (ticket) leave_ticket(id);
}

/// To each of its members; it answers the one who asked.
void Turn::send_party(PartyId id, Asker asker) {
  for (const PartyMember& member : s_.parties[id].members)
    send_party_to(member.player, member.player == asker.player ? asker.request : 0);
}

void Turn::send_party_to(PlayerId player, std::uint32_t request) {
  const SessionId session = s_.players[player].session;
  const PartyId id = s_.players[player].party;
  if (!session) return;
  SendParty party{session, request, id, s_.parties[id].code, {}, Error::none};
  for (const PartyMember& member : s_.parties[id].members) {
    const Player& one = s_.players[member.player];
    party.members.push_back({member.player, one.name, !one.session, member.attributes});
  }
  emit(std::move(party));
}

/// Its leader asks: everybody's wish, theirs first. Nothing, and they are told why, if somebody
/// cannot play now.
std::optional<std::vector<TicketMember>> Turn::party_wish(const StartMatch& e, PlayerId leader) {
  std::vector<TicketMember> members;
  for (const PartyMember& member : s_.parties[s_.players[leader].party].members) {
    const Player& player = s_.players[member.player];
    if (player.match || player.ticket) {
      refuse(e.session, e.request, Error::party_busy,
             player.name + (player.match ? " is still in a match" : " waits for a match"));
      return std::nullopt;
    }
    members.push_back({member.player, 1, member.attributes});
  }
  members.front().seats = static_cast<std::uint32_t>(e.seats);
  if (!e.attributes.empty()) members.front().attributes = e.attributes;
  return members;
}

}  // namespace muster::core
