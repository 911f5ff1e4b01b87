#pragma once
// What a node writes down of its game servers (node.record), so that the next one finds them again
// if it is killed: proto/node_record.proto.
//
// Written with write() and no fsync: that outlives the process, and when the machine dies its game
// servers do too. A kill at any moment leaves whole entries and at most one that is cut at the end.
// Whatever a game server or the lobby is told after something happened, is told after it was
// written. A report is written in one entry with what it says has changed: the next node has both
// or neither.
//
// If it cannot be written (the disk is full), that is said once, and tried again each second.
// Meanwhile game servers are launched all the same, and end with their node.

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <string>

#include "node/child.h"
#include "node/process_posix.h"
#include "node/unique_fd.h"
#include "proto/node_record.pb.h"
#include "wire/frame.h"

namespace muster::node {

/// What entries say together.
struct Recorded {
  struct Server {
    wire::node_record::Entered entered;
    wire::node_record::Born born;  // Its pid is 0 if there is none.
    wire::node_record::State state;
  };
  wire::node_record::Begun begun;
  std::map<std::string, Server, std::less<>> servers;
  std::map<std::uint64_t, wire::node_record::Report> reports;  // Not heard yet, by number.
};

/// One entry more. What is about a game server that is not there changes nothing.
void apply(const wire::node_record::Entry& entry, Recorded& recorded);

/// Applies all that the bytes hold, up to the first that is not whole. Returns where that begins.
std::size_t read_record(wire::Bytes bytes, Recorded& recorded);

/// Entries that say the same.
std::string write_record(const Recorded& recorded);

class NodeRecord : public BirthRegister {
 public:
  /// So many numbers of reports are put on record at once: one that was given to a report, also one
  /// that could not be written, is not given to another.
  static constexpr std::uint64_t numbers_ahead = 1u << 20;
  static constexpr std::size_t slack_bytes = 256u << 10;  // Then it is written anew.

  NodeRecord(boost::asio::io_context& io, std::string path, std::string folder);

  /// Reads what is there and goes on with it. An error, a sentence, if it is there and cannot be
  /// read: what runs could then not be known.
  std::expected<void, std::string> open();
  /// What an earlier node left, and what was written since.
  const Recorded& recorded() const { return recorded_; }
  /// The pid of the node that wrote before; 0: there was none.
  std::uint32_t earlier_pid() const { return earlier_pid_; }

  void write(const wire::node_record::Entry& entry);
  /// For the next report.
  std::uint64_t next_number();

  std::optional<BirthNote> note(const std::string& who, const std::string& output) override;
  void noted(const BirthNote& filled_in, bool whole) override;

  /// The node ends in good order. The file goes, unless a lobby has yet to hear something.
  void close();

 private:
  void append(const std::string& bytes);
  void fail(int error);
  int rewrite();
  void rewrite_in(std::chrono::milliseconds delay);

  const std::string path_, folder_;
  Timer timer_;
  UniqueFd file_;
  std::size_t bytes_ = 0;       // Whole ones in the file.
  std::size_t bytes_anew_ = 0;  // When it was written anew last.
  bool waits_to_rewrite_ = false;
  bool failing_ = false;
  std::uint32_t earlier_pid_ = 0;
  std::uint64_t last_number_ = 0;
  Recorded recorded_;
};

}  // namespace muster::node
