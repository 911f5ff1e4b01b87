#include "wire/standings.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

namespace muster::wire {
namespace {

namespace pb = google::protobuf;

constexpr int standings_max = 512;
constexpr std::uint32_t rank_max = 1000;

}  // namespace

bool read_standings(std::string_view result, game_server::Standings& out) {
  out.Clear();
  // Most results are not of this form, and looking costs less than parsing.
  const std::size_t start = result.find_first_not_of(" \t\r\n");
  if (start == result.npos || result[start] != '{' || result.find("\"standings\"") == result.npos)
    return false;
  pb::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const auto status =
      pb::util::JsonStringToMessage(pb::StringPiece(result.data(), result.size()), &out, options);
  if (status.ok()) return out.standings_size() > 0;
  out.Clear();
  return false;
}

std::string standings_problem(const pb::RepeatedPtrField<game_server::Standing>& standings) {
  if (standings.size() > standings_max)
    return fmt::format("there are {} standings; at most {}", standings.size(), standings_max);
  for (const game_server::Standing& standing : standings) {
    if (standing.rank() < 1 || standing.rank() > rank_max)
      return fmt::format("a rank is {}; it must be 1 to {}", standing.rank(), rank_max);
    if (!(standing.missed() >= 0 && standing.missed() <= 1)) return "missed must be 0 to 1";
  }
  return {};
}

}  // namespace muster::wire
