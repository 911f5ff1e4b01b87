#pragma once
// The core's whole state as bytes and back: what is in a snapshot.

#include <expected>
#include <memory>
#include <string>

#include "core/core.h"
#include "core/state.h"
#include "store/journal_format.h"

namespace muster::store {

/// Appends the state. A core made of what decode_state() makes of it goes on exactly as this one
/// would: the same ids, the same order of equal deadlines.
void encode_state(const core::State& state, std::string& out);

/// Nothing if the bytes are no state that this build can read.
std::unique_ptr<core::State> decode_state(Bytes bytes);

}  // namespace muster::store
