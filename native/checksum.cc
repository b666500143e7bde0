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
/// The instruction takes three cycles and one can begin in each: three pieces of this size are taken at once.
constexpr uint64_t kPiece = 1024;

/// A checksum as so many zeros behind it make it, by its bytes: that is linear.
constexpr std::array<std::array<uint32_t, 256>, 4> make_shift() {
  std::array<std::array<uint32_t, 256>, 4> shift{};
  for (uint32_t bit = 0; bit < 32; bit++) {
    uint32_t crc = 1u << bit;
    for (uint64_t i = 0; i < kPiece; i++) crc = (crc >> 8) ^ table[crc & 0xff];
    auto& values = shift[bit / 8];
    for (uint32_t byte = 0; byte < 256; byte++)
      if (byte & (1u << bit % 8)) values[byte] ^= crc;
  }
  return shift;
}

constexpr auto shift = make_shift();

uint32_t shifted(uint64_t crc) {
  return shift[0][crc & 0xff] ^ shift[1][crc >> 8 & 0xff] ^ shift[2][crc >> 16 & 0xff] ^
         shift[3][crc >> 24 & 0xff];
}

__attribute__((target("sse4.2"))) uint32_t by_instruction(uint32_t crc, const uint8_t* bytes, uint64_t size) {
  for (; size >= 3 * kPiece; size -= 3 * kPiece, bytes += 3 * kPiece) {
    uint64_t sums[3] = {crc, 0, 0};
    for (uint64_t i = 0; i < kPiece; i += 8) {
      uint64_t words[3];
      for (int piece = 0; piece < 3; piece++) memcpy(&words[piece], bytes + i + piece * kPiece, 8);
      for (int piece = 0; piece < 3; piece++) sums[piece] = __builtin_ia32_crc32di(sums[piece], words[piece]);
    }
    crc = shifted(shifted(sums[0]) ^ sums[1]) ^ static_cast<uint32_t>(sums[2]);
  }
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
