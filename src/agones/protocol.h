#pragma once
// One connection to a game server's SDK endpoint, without I/O: bytes in, bytes out. Both kinds,
// gRPC (grpc_connection.h) and REST (rest_connection.h), look like this to whoever has the socket.

#include <cstddef>
#include <string>

#include "agones/calls.h"
#include "wire/frame.h"  // Bytes

namespace muster::agones {

/// Bounds of one connection.
constexpr std::size_t message_bytes_max = 512u << 10;      // Of one request.
constexpr std::size_t pending_bytes_max = 1u << 20;        // Requests unfinished, replies unsent.
constexpr std::size_t unsent_watch_bytes_max = 64u << 10;  // Past it, changes wait and are merged.

class Protocol {
 public:
  virtual ~Protocol() = default;
  /// Takes all bytes. False: of no further use; write what produce() still gives, and close.
  virtual bool feed(wire::Bytes bytes) = 0;
  /// The record has a new revision: watchers are to be told.
  virtual void changed() = 0;
  /// Appends what is to be sent until `out` has `bytes_max`, or a little more.
  virtual void produce(std::string& out, std::size_t bytes_max) = 0;
  /// Whether somebody waits for what comes over it: a stream, a watch.
  virtual bool streaming() const = 0;
  /// False after feed() or the peer has ended it.
  virtual bool open() const = 0;
};

}  // namespace muster::agones
