#pragma once
// CRC-32C (Castagnoli: polynomial 0x1EDC6F41, reflected), as in iSCSI (RFC 3720, appendix B.4) and
// most storage formats. The processor's own instruction where it has it, else a table.

#include <cstddef>
#include <cstdint>
#include <span>

namespace muster::store {

/// Of the bytes; or, given what came before, of both together.
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before = 0);

/// The same without the processor's instruction, to compare with.
std::uint32_t crc32c_by_table(std::span<const std::byte> bytes, std::uint32_t before = 0);

}  // namespace muster::store
