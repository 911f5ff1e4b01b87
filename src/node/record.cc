#include "node/record.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "node/text_file.h"

namespace muster::node {
namespace record = wire::node_record;
using std::chrono::milliseconds;

namespace {

constexpr std::uint32_t entry_bytes_max = 16u << 20;
constexpr std::size_t file_bytes_max = 256u << 20;
constexpr auto retry_delay = milliseconds{1000};

std::string random_run() {
  unsigned char bytes[8];
  randombytes_buf(bytes, sizeof bytes);
  char text[2 * sizeof bytes + 1];
  return sodium_bin2hex(text, sizeof text, bytes, sizeof bytes);
}

std::string boot_id() {
  std::string id = read_text("/proc/sys/kernel/random/boot_id");
  while (id.ends_with('\n')) id.pop_back();
  return id;
}

// What is absent in a new state because it is as it was.
void keep_what_is_absent(const record::State& before, record::State& now) {
  if (now.in_match() && !now.has_match()) *now.mutable_match() = before.match();
  if (!now.has_agones() && before.has_agones()) *now.mutable_agones() = before.agones();
}

std::size_t u32_at(wire::Bytes bytes, std::size_t at) {
  std::size_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) number |= static_cast<std::size_t>(bytes[at + i]) << (8 * i);
  return number;
}

}  // namespace

void apply(const record::Entry& entry, Recorded& recorded) {
  const auto server = [&](const std::string& id) {
    const auto found = recorded.servers.find(id);
    return found == recorded.servers.end() ? nullptr : &found->second;
  };
  if (entry.has_begun()) recorded.begun = entry.begun();
  if (entry.has_entered())
    recorded.servers[entry.entered().launch().server_id()] = {entry.entered(), {}, {}};
  if (entry.has_born())
    if (Recorded::Server* known = server(entry.born().server_id())) known->born = entry.born();
  if (entry.has_state())
    if (Recorded::Server* known = server(entry.state().server_id())) {
      record::State now = entry.state();
      keep_what_is_absent(known->state, now);
      known->state = std::move(now);
    }
  for (const std::uint64_t number : entry.dropped()) recorded.reports.erase(number);
  if (entry.has_report()) recorded.reports[entry.report().message().number()] = entry.report();
  if (entry.heard() > 0)
    recorded.reports.erase(recorded.reports.begin(), recorded.reports.upper_bound(entry.heard()));
  if (!entry.gone().empty()) recorded.servers.erase(entry.gone());
}

std::size_t read_record(wire::Bytes bytes, Recorded& recorded) {
  constexpr std::size_t header = wire::FrameReader::header_bytes;
  std::size_t at = 0;
  while (bytes.size() - at >= header) {
    const std::size_t size = u32_at(bytes, at);
    record::Entry entry;
    if (size > entry_bytes_max || bytes.size() - at - header < size ||
        !entry.ParseFromArray(bytes.data() + at + header, static_cast<int>(size)))
      break;
    apply(entry, recorded);
    at += header + size;
  }
  return at;
}

std::string write_record(const Recorded& recorded) {
  std::string bytes;
  record::Entry begun;
  *begun.mutable_begun() = recorded.begun;
  wire::append_frame(bytes, begun);
  for (const auto& [id, server] : recorded.servers) {
    record::Entry entry;
    *entry.mutable_entered() = server.entered;
    *entry.mutable_born() = server.born;
    entry.mutable_born()->set_server_id(id);
    *entry.mutable_state() = server.state;
    entry.mutable_state()->set_server_id(id);
    wire::append_frame(bytes, entry);
  }
  for (const auto& [number, report] : recorded.reports) {
    record::Entry entry;
    *entry.mutable_report() = report;
    wire::append_frame(bytes, entry);
  }
  return bytes;
}

// ---- The file.

NodeRecord::NodeRecord(boost::asio::io_context& io, std::string path, std::string folder)
    : path_(std::move(path)), folder_(std::move(folder)), timer_(io.get_executor()) {}

std::expected<void, std::string> NodeRecord::open() {
  const auto refuse = [&](int error) {
    return std::unexpected(fmt::format(
        "cannot read {}: {}. It says which game servers an earlier node left running: make it "
        "readable, or remove it, and those that are found are ended",
        path_, ::strerrordesc_np(error)));
  };
  std::string bytes;
  UniqueFd file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file && errno != ENOENT) return refuse(errno);
  char buffer[64 * 1024];
  while (file && bytes.size() < file_bytes_max) {
    const ssize_t n = ::read(file.get(), buffer, sizeof buffer);
    if (n < 0 && errno != EINTR) return refuse(errno);
    if (n == 0) break;
    if (n > 0) bytes.append(buffer, static_cast<std::size_t>(n));
  }
  read_record({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, recorded_);
  record::Begun& begun = recorded_.begun;
  earlier_pid_ = begun.pid();
  if (!begun.folder().empty() && begun.folder() != folder_) {
    fmt::print(stderr,
               "node: {} is a copy of another data folder's, {}: its game servers are left alone\n",
               path_, begun.folder());
    recorded_ = {};
    earlier_pid_ = 0;
  }
  const std::string boot = boot_id();
  if (begun.boot_id() != boot)  // Whoever has their pids now is somebody else.
    for (auto& [id, server] : recorded_.servers) server.born.set_alive_at(0);
  last_number_ = begun.numbers();
  if (!recorded_.reports.empty())
    last_number_ = std::max(last_number_, recorded_.reports.rbegin()->first);
  if (begun.run().empty()) begun.set_run(random_run());
  begun.set_folder(folder_);
  begun.set_boot_id(boot);
  begun.set_pid(static_cast<std::uint32_t>(::getpid()));
  begun.set_numbers(last_number_ + numbers_ahead);
  if (const int error = rewrite(); error != 0) fail(error);
  return {};
}

void NodeRecord::write(const record::Entry& entry) {
  apply(entry, recorded_);
  if (failing_) return;
  std::string bytes;
  wire::append_frame(bytes, entry);
  append(bytes);
}

std::uint64_t NodeRecord::next_number() {
  if (++last_number_ > recorded_.begun.numbers()) {
    record::Entry entry;
    *entry.mutable_begun() = recorded_.begun;
    entry.mutable_begun()->set_numbers(last_number_ + numbers_ahead);
    write(entry);
  }
  return last_number_;
}

void NodeRecord::append(const std::string& bytes) {
  const ssize_t n = ::write(file_.get(), bytes.data(), bytes.size());
  if (n != static_cast<ssize_t>(bytes.size())) return fail(n < 0 ? errno : ENOSPC);
  bytes_ += bytes.size();
  if (bytes_ > 2 * bytes_anew_ + slack_bytes) rewrite_in(milliseconds{0});
}

/// What is in the file by then stays good.
void NodeRecord::fail(int error) {
  if (!std::exchange(failing_, true))
    fmt::print(stderr,
               "node: cannot write {}: {}. If the node is killed before it can, game servers that "
               "are launched meanwhile end with it\n",
               path_, ::strerrordesc_np(error));
  if (file_ && ::ftruncate(file_.get(), static_cast<off_t>(bytes_)) < 0) file_.reset();
  rewrite_in(retry_delay);
}

int NodeRecord::rewrite() {
  const std::string bytes = write_record(recorded_);
  const std::string fresh = path_ + ".new";
  ::unlink(fresh.c_str());
  UniqueFd file(
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return errno;
  const ssize_t n = ::write(file.get(), bytes.data(), bytes.size());
  int error = n == static_cast<ssize_t>(bytes.size()) ? 0 : n < 0 ? errno : ENOSPC;
  if (error == 0 && ::rename(fresh.c_str(), path_.c_str()) < 0) error = errno;
  if (error != 0) {
    ::unlink(fresh.c_str());
    return error;
  }
  file_ = std::move(file);
  bytes_ = bytes_anew_ = bytes.size();
  return 0;
}

void NodeRecord::rewrite_in(milliseconds delay) {
  if (std::exchange(waits_to_rewrite_, true)) return;
  timer_.expires_after(delay);
  timer_.async_wait([this](boost::system::error_code canceled) {
    if (canceled) return;
    waits_to_rewrite_ = false;
    if (const int error = rewrite(); error != 0) return fail(error);
    if (std::exchange(failing_, false)) fmt::print(stderr, "node: {} is written again\n", path_);
  });
}

std::optional<BirthNote> NodeRecord::note(const std::string& who, const std::string& output) {
  constexpr std::size_t time_bytes = 8, pid_bytes = 4, tag_bytes = 1;
  if (failing_) return std::nullopt;
  record::Entry entry;
  record::Born& born = *entry.mutable_born();
  born.set_server_id(who);
  born.set_output(output);
  born.set_pid(~std::uint32_t{0});  // Places: a zero would not be written at all.
  born.set_alive_at(~std::uint64_t{0});
  BirthNote note{.file = file_.get()};
  wire::append_frame(note.bytes, entry);
  note.time_at = note.bytes.size() - time_bytes;
  note.pid_at = note.time_at - tag_bytes - pid_bytes;
  CHECK(note.bytes.ends_with(std::string(time_bytes, '\xff')) &&
            note.bytes.compare(note.pid_at, pid_bytes, std::string(pid_bytes, '\xff')) == 0,
        "the numbers lie at the end");
  return note;
}

void NodeRecord::noted(const BirthNote& filled_in, bool whole) {
  if (!whole) return fail(ENOSPC);
  bytes_ += filled_in.bytes.size();
  read_record(
      {reinterpret_cast<const std::uint8_t*>(filled_in.bytes.data()), filled_in.bytes.size()},
      recorded_);
}

void NodeRecord::close() {
  timer_.cancel();
  if (recorded_.servers.empty() && recorded_.reports.empty()) ::unlink(path_.c_str());
}

}  // namespace muster::node
