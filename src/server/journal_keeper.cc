#include "server/journal_keeper.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "server/version.h"

namespace muster::server {

JournalKeeper::JournalKeeper(boost::asio::io_context& io, Options options,
                             std::function<Moment()> moment)
    : options_(std::move(options)), moment_(std::move(moment)), snapshot_ended_(io), retry_(io) {
  status_.enabled = options_.config.enabled;
}

JournalKeeper::~JournalKeeper() {
  // It ends by itself; until then it is a child of nobody's concern.
  if (snapshot_pid_ > 0) ::waitpid(snapshot_pid_, nullptr, WNOHANG);
}

store::SnapshotHeader JournalKeeper::header(const Moment& moment) const {
  store::SnapshotHeader header{.build = std::string(version),
                               .config_digest = options_.config_digest,
                               .number = moment.number,
                               .time = moment.time};
#ifdef MUSTER_CHECK_INVARIANTS
  header.digest = moment.core.digest();
#endif
  return header;
}

store::JournalOptions JournalKeeper::journal_options(bool after_gap) const {
  return {
      .folder = options_.folder,
      .build = std::string(version),
      .config_digest = options_.config_digest,
      .after_gap = after_gap,
      .segment_bytes_max = options_.config.segment_bytes_max,
      .sync_interval = std::chrono::ceil<std::chrono::milliseconds>(options_.config.sync_interval)};
}

std::expected<void, std::string> JournalKeeper::start() {
  if (!options_.config.enabled) return {};
  const Moment moment = moment_();
  auto journal = store::Journal::begin(journal_options(false), moment.number + 1, moment.time);
  if (!journal) return std::unexpected(journal.error());
  journal_ = std::move(*journal);
  // What has just been recovered need not be stepped through again; and a new journal needs a state
  // to begin with.
  if (auto written = store::write_snapshot(options_.folder, header(moment), moment.core.state());
      !written)
    return written;
  status_.number = status_.snapshot_number = moment.number;
  store::prune_journal(options_.folder, moment.number, options_.config.snapshots_kept);
  return {};
}

void JournalKeeper::commit() {
  if (!journal_) return;
  std::uint64_t digest = 0;
#ifdef MUSTER_CHECK_INVARIANTS
  digest = moment_().core.digest();
#endif
  if (const auto committed = journal_->commit(digest); !committed) return lose(committed.error());
  status_.number = journal_->next_number() - 1;
  status_.bytes = bytes_before_ + journal_->bytes_written();
  if (status_.bytes - bytes_at_snapshot_ >= options_.config.snapshot_bytes && snapshot_pid_ == 0)
    begin_snapshot();
}

void JournalKeeper::finish() {
  if (!journal_) return;
  const Moment moment = moment_();
  if (const auto written =
          store::write_snapshot(options_.folder, header(moment), moment.core.state());
      !written)
    fmt::print(stderr, "muster: {}; the next start steps through the journal\n", written.error());
  else
    store::prune_journal(options_.folder, moment.number, options_.config.snapshots_kept);
  journal_.reset();
}

// ---- Bad days.

void JournalKeeper::lose(const std::string& why) {
  fmt::print(stderr, "muster: {}\n", why);
  status_.healthy = false;
  status_.error = why;
  ++status_.failures;
  bytes_before_ = status_.bytes;
  journal_.reset();
  try_again();
}

void JournalKeeper::try_again() {
  retry_.expires_after(std::chrono::seconds{1});
  retry_.async_wait([this](const boost::system::error_code& error) {
    if (error || journal_) return;
    if (snapshot_pid_ > 0) return try_again();  // One from before, in the way.
    // Events go to the new journal from now on; it is good once the snapshot before it is whole.
    const Moment moment = moment_();
    auto journal = store::Journal::begin(journal_options(true), moment.number + 1, moment.time);
    if (!journal) {
      status_.error = journal.error();
      return try_again();
    }
    journal_ = std::move(*journal);
    snapshot_mends_gap_ = true;
    begin_snapshot();
  });
}

// ---- Snapshots.

void JournalKeeper::begin_snapshot() {
  const Moment moment = moment_();
  bytes_at_snapshot_ = status_.bytes;
  const auto process = store::fork_snapshot(options_.folder, header(moment), moment.core.state());
  if (!process) {
    fmt::print(stderr, "muster: {}\n", process.error());
    return snapshot_ended(false);
  }
  snapshot_pid_ = process->pid;
  snapshot_number_ = moment.number;
  if (process->pidfd < 0) return snapshot_ended(false);
  snapshot_ended_.assign(process->pidfd);
  wait_for_snapshot();
}

void JournalKeeper::wait_for_snapshot() {
  snapshot_ended_.async_wait(
      boost::asio::posix::stream_descriptor::wait_read,
      [this](const boost::system::error_code& error) {
        if (error) return;
        snapshot_ended_.close();
        int status = -1;
        const pid_t reaped = ::waitpid(snapshot_pid_, &status, 0);
        snapshot_ended(reaped == snapshot_pid_ && WIFEXITED(status) && WEXITSTATUS(status) == 0);
      });
}

void JournalKeeper::snapshot_ended(bool whole) {
  snapshot_pid_ = 0;
  const bool mends_gap = std::exchange(snapshot_mends_gap_, false);
  if (whole) {
    status_.snapshot_number = snapshot_number_;
    store::prune_journal(options_.folder, snapshot_number_, options_.config.snapshots_kept);
    if (mends_gap && journal_) {
      status_.healthy = true;
      status_.error.clear();
      fmt::print(stderr, "muster: the journal is written again, from event {} on\n",
                 snapshot_number_ + 1);
    }
  } else if (mends_gap) {
    // Without a state to begin with it is of no use.
    if (journal_) ::unlink(journal_->path().c_str());
    journal_.reset();
    try_again();
  }
}

}  // namespace muster::server
