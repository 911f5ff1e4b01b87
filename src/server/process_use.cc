#include "server/process_use.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace muster::server {

std::optional<ProcessUse> process_use(std::uint32_t pid) {
  std::ifstream in(fmt::format("/proc/{}/stat", pid));
  std::string text;
  if (!std::getline(in, text)) return std::nullopt;
  const std::size_t name_end = text.rfind(')');  // The name may hold anything, brackets too.
  if (name_end == std::string::npos) return std::nullopt;
  // proc(5): the state is field 3, utime and stime are 14 and 15, rss 24.
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  double ticks = 0, pages = 0;
  for (int number = 3; number <= 24 && fields >> field; ++number) {
    if (number == 14 || number == 15) ticks += std::stod(field);
    if (number == 24) pages = std::stod(field);
  }
  if (!fields) return std::nullopt;
  return ProcessUse{
      ticks / static_cast<double>(::sysconf(_SC_CLK_TCK)),
      static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))};
}

}  // namespace muster::server
