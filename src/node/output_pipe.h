#pragma once
// The pipe into which a game server prints.
//
// It is a FIFO in the data folder, which the game server has open for reading and writing: so it
// never ends and never breaks (no SIGPIPE) while the game server lives, whoever else comes and
// goes. The node reads it; if the node dies, what was printed waits in there, 64 KiB of it before
// printing has to wait too, and the next node opens the FIFO by its name.
//
// Where no FIFO can be made, it is a pipe without a name: good for as long as its node lives.

#include <expected>
#include <string>

#include "node/unique_fd.h"

namespace muster::node {

struct OutputPipe {
  UniqueFd reader;   // Non-blocking.
  UniqueFd writer;   // For the game server.
  std::string name;  // Empty: it has none.
};

/// Where FIFOs are made from now on; the folder is made if it is not there. Empty: nowhere.
void keep_outputs_in(const std::string& folder);
/// The folder.
const std::string& outputs_folder();

/// The error is errno.
std::expected<OutputPipe, int> make_output_pipe();

/// Opens a FIFO that an earlier node has made, for reading. None if it is not there.
UniqueFd open_output(const std::string& name);

/// Its reader and its writer may still be open.
void remove_output(const std::string& name);

}  // namespace muster::node
