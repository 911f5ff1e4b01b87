#include "sim/shrink.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstdio>
#include <functional>

#include "base/check.h"

namespace muster::sim {
namespace {

/// The law without its numbers: another id, or another minute, is the same failure.
std::string law_of(std::string_view text) {
  std::string law;
  for (const char c : text.substr(0, text.find('\n')))
    if (!std::isdigit(static_cast<unsigned char>(c))) law += c;
  return law;
}

/// In the child: what is written to `out` is how it failed.
[[noreturn]] void run_and_tell(std::uint64_t seed, const WorldOptions& options, int out) {
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  ::dup2(nowhere, STDERR_FILENO);  // A failed CHECK prints; once is enough, and that comes later.
  std::signal(SIGABRT, SIG_DFL);
  std::string failure;
  try {
    World(seed, options).run();
  } catch (const LawBroken& broken) {
    failure = law_of(broken.what());
  }
  const bool written =
      ::write(out, failure.data(), failure.size()) == static_cast<ssize_t>(failure.size());
  ::_exit(written ? 0 : 1);
}

/// How it fails; empty: it does not.
std::string failure_of(std::uint64_t seed, const WorldOptions& options) {
  std::fflush(nullptr);  // Or the child would have it too.
  int ends[2];
  CHECK(::pipe2(ends, O_CLOEXEC) == 0, "a pipe for a child");
  const pid_t child = ::fork();
  CHECK(child >= 0, "a process for a run");
  if (child == 0) run_and_tell(seed, options, ends[1]);
  ::close(ends[1]);
  std::string failure;
  char buffer[512];
  for (ssize_t got; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    failure.append(buffer, static_cast<std::size_t>(got));
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? failure : "a failed check";
}

/// The least from 1 to `most` with which it still fails, if more never helps.
std::uint32_t least(std::uint32_t most, const std::function<bool(std::uint32_t)>& fails) {
  std::uint32_t low = 1;
  while (low < most) {
    const std::uint32_t middle = low + (most - low) / 2;
    if (fails(middle))
      most = middle;
    else
      low = middle + 1;
  }
  return most;
}

}  // namespace

std::optional<Shrunk> shrink(std::uint64_t seed, const WorldOptions& options) {
  Shrunk shrunk{.options = options, .failure = failure_of(seed, options), .runs = 1};
  if (shrunk.failure.empty()) return std::nullopt;
  const auto fails = [&](const WorldOptions& smaller) {
    ++shrunk.runs;
    return failure_of(seed, smaller) == shrunk.failure;
  };
  const auto with = [&](std::uint32_t WorldOptions::* number, std::uint32_t value) {
    WorldOptions smaller = shrunk.options;
    smaller.*number = value;
    return smaller;
  };
  const auto fewer = [&](std::uint32_t WorldOptions::* number, std::uint32_t most) {
    shrunk.options.*number =
        least(most, [&](std::uint32_t value) { return fails(with(number, value)); });
  };

  // Minutes first: they make all that follows quicker.
  fewer(&WorldOptions::minutes, shrunk.options.minutes);
  const Setting setting = World(seed, shrunk.options).setting();
  const auto leave_out = [&](std::string_view fault) {
    WorldOptions smaller = shrunk.options;
    smaller.without.emplace_back(fault);
    if (fails(smaller)) shrunk.options = std::move(smaller);
  };
  for (const NamedInterval& named : named_intervals())
    if (setting.faults.intervals.*named.interval > Duration::zero()) leave_out(named.name);
  for (const NamedRate& named : named_rates())
    if (setting.faults.rates.*named.rate > 0) leave_out(named.name);
  fewer(&WorldOptions::people_max, setting.crowd.people);
  fewer(&WorldOptions::minutes, shrunk.options.minutes);
  return shrunk;
}

}  // namespace muster::sim
