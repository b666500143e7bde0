// A library of one pure function: CRC-32 as in zlib (polynomial 0xedb88320, reflected), four bits a step.

static const unsigned table[16] = {
    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

/// Continues `crc` (0 to begin with) over `length` bytes. crc32(0, "123456789", 9) is 0xcbf43926.
unsigned long crc32(unsigned long crc, const char* bytes, unsigned length) {
  unsigned c = ~(unsigned)crc;
  for (unsigned i = 0; i < length; i++) {
    c ^= (unsigned char)bytes[i];
    c = (c >> 4) ^ table[c & 15];
    c = (c >> 4) ^ table[c & 15];
  }
  return ~c & 0xffffffff;
}
