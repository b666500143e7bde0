// CRC-32C (Castagnoli, reflected 0x82f63b78; RFC 3720 appendix B.4): the checksum of what a region's catalog
// is stored as. It tells a torn or damaged catalog from a whole one; it is no protection against intent.
#pragma once
#include <cstdint>

namespace insitu {

/// By the processor's own instruction where it has one.
uint32_t crc32c(const void* bytes, uint64_t size);

}  // namespace insitu
