// The first line is an expression, the rest what it is looked for in. Laws: what is found is part
// of it; to be in it and to be found are the same.
#include <cstdint>

#include "base/check.h"
#include "wire/pattern.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace muster::wire;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\n'), input.size());
  const auto pattern = Pattern::compile(input.substr(0, end));
  if (!pattern) {
    CHECK(!pattern.error().empty(), "a refusal says why");
    return 0;
  }
  const std::string_view text = input.substr(std::min(end + 1, input.size()));
  const auto found = pattern->find(text, "result");
  CHECK(found.has_value() == pattern->is_in(text), "what is in it is found");
  if (found && !found->empty())
    CHECK(text.find(*found) != std::string_view::npos, "what is captured is of it");
  if (players_in(*pattern, text)) CHECK(found, "players are read of what is found");
  return 0;
}
