#pragma once
// The loop's journal: written each turn, snapshotted now and then, begun anew after a bad day.

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "core/core.h"
#include "server/config_file.h"
#include "server/journal_status.h"
#include "store/journal.h"
#include "store/snapshot.h"

namespace muster::server {

/// When the disk is full or fails, live play goes on without a journal, which is said once; every
/// second a snapshot is tried, and with it the journal begins anew. Single-threaded.
class JournalKeeper {
 public:
  struct Options {
    JournalConfig config;
    std::string folder;
    std::uint64_t config_digest = 0;
  };
  /// The core's state now, and the number and time of its last event.
  struct Moment {
    const core::Core& core;
    std::uint64_t number = 0;
    Time time{};
  };

  JournalKeeper(boost::asio::io_context& io, Options options, std::function<Moment()> moment);
  ~JournalKeeper();

  /// Begins the journal with a snapshot of this moment: before the first turn.
  std::expected<void, std::string> start();

  /// Each event of a turn, then commit() once, before the turn's effects leave.
  void record(std::uint64_t number, Time time, const core::Event& event) {
    if (journal_) journal_->add(number, time, event);
  }
  void commit();

  /// The lobby leaves in good order: the next start has nothing to step through.
  void finish();

  const JournalStatus& status() const { return status_; }

 private:
  store::SnapshotHeader header(const Moment& moment) const;
  store::JournalOptions journal_options(bool after_gap) const;
  void lose(const std::string& why);
  void try_again();
  void begin_snapshot();
  void wait_for_snapshot();
  void snapshot_ended(bool whole);

  Options options_;
  std::function<Moment()> moment_;
  std::unique_ptr<store::Journal> journal_;
  JournalStatus status_;
  std::uint64_t bytes_at_snapshot_ = 0;
  std::uint64_t bytes_before_ = 0;  // Of journals before this one.

  // A snapshot being written.
  pid_t snapshot_pid_ = 0;
  std::uint64_t snapshot_number_ = 0;
  bool snapshot_mends_gap_ = false;
  boost::asio::posix::stream_descriptor snapshot_ended_;
  boost::asio::steady_timer retry_;
};

}  // namespace muster::server
