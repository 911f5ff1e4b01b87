#include "node/output_pipe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace muster::node {
namespace {

std::string folder;
unsigned last_number = 0;

// Empty if there cannot be one.
std::string make_fifo() {
  if (folder.empty()) return {};
  for (;;) {
    std::string name = fmt::format("{}-{}", ::getpid(), ++last_number);
    if (::mkfifo(fmt::format("{}/{}", folder, name).c_str(), 0600) == 0) return name;
    if (errno != EEXIST) return {};  // Another node of that pid has made one, which is in use.
  }
}

std::expected<OutputPipe, int> make_nameless() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return std::unexpected(errno);
  OutputPipe made{UniqueFd(ends[0]), UniqueFd(ends[1]), {}};
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return made;
}

}  // namespace

void keep_outputs_in(const std::string& outputs) {
  folder = outputs;
  if (!folder.empty()) ::mkdir(folder.c_str(), 0700);
}

const std::string& outputs_folder() { return folder; }

std::expected<OutputPipe, int> make_output_pipe() {
  OutputPipe made;
  made.name = make_fifo();
  if (made.name.empty()) return make_nameless();
  made.reader = open_output(made.name);
  if (made.reader)
    made.writer.reset(
        ::open(fmt::format("{}/{}", folder, made.name).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (made.writer) return made;
  const int error = errno;
  remove_output(made.name);
  return std::unexpected(error);
}

UniqueFd open_output(const std::string& name) {
  if (name.empty() || name.find('/') != std::string::npos) return UniqueFd();
  UniqueFd fifo(::open(fmt::format("{}/{}", folder, name).c_str(),
                       O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
  struct stat status{};
  if (fifo && (::fstat(fifo.get(), &status) < 0 || !S_ISFIFO(status.st_mode))) fifo.reset();
  return fifo;
}

void remove_output(const std::string& name) {
  if (!name.empty()) ::unlink(fmt::format("{}/{}", folder, name).c_str());
}

}  // namespace muster::node
