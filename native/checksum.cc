#include "checksum.h"

#include <array>
#include <cstring>

namespace insitu {
namespace {

constexpr std::array<uint32_t, 256> make_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; bit++) value = (value >> 1) ^ (value & 1 ? 0x82f63b78u : 0u);
    table[i] = value;
  }
  return table;
}

constexpr std::array<uint32_t, 256> table = make_table();

uint32_t by_table(uint32_t crc, const uint8_t* bytes, uint64_t size) {
  for (uint64_t i = 0; i < size; i++) crc = (crc >> 8) ^ table[(crc ^ bytes[i]) & 0xff];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t by_instruction(uint32_t crc, const uint8_t* bytes, uint64_t size) {
  uint64_t wide = crc;
  for (; size >= 8; size -= 8, bytes += 8) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    wide = __builtin_ia32_crc32di(wide, word);
  }
  crc = static_cast<uint32_t>(wide);
  for (uint64_t i = 0; i < size; i++) crc = __builtin_ia32_crc32qi(crc, bytes[i]);
  return crc;
}
#endif

}  // namespace

uint32_t crc32c(const void* bytes, uint64_t size) {
  const auto* at = static_cast<const uint8_t*>(bytes);
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return ~by_instruction(~uint32_t{0}, at, size);
#endif
  return ~by_table(~uint32_t{0}, at, size);
}

}  // namespace insitu
