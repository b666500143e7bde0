// Unaligned words, copies that overlap, branches: an LZ77 of the LZ4 kind packs and unpacks 512 KiB.
#include "kernel.h"

enum { SIZE = 512 << 10, TABLE = 1 << 13 };
static u8 plain[SIZE], packed[SIZE * 2], unpacked[SIZE];
static u32 table[TABLE];

static u32 word(const u8* at) {
  u32 value;
  __builtin_memcpy(&value, at, 4);
  return value;
}

static void fill(void) {
  u32 state = 362436069;
  for (u32 i = 0; i < SIZE;) {
    u32 random = next_random(&state), length = 4 + random % 28,
        from = i > 4096 ? (random >> 8) % 4096 + 1 : 0;
    for (u32 k = 0; k < length && i < SIZE; k++, i++)
      plain[i] = from ? plain[i - from] : (u8)("etaoin shrdlu"[next_random(&state) % 13]);
  }
}

static u8* put_length(u8* to, u32 length) {
  for (; length >= 255; length -= 255) *to++ = 255;
  *to++ = (u8)length;
  return to;
}

// Runs of: literals' length, literals, distance (2 bytes), match length less 4.
static u32 pack(void) {
  u8* to = packed;
  u32 anchor = 0;
  for (u32 i = 0; i < TABLE; i++) table[i] = 0;
  for (u32 at = 1; at + 12 < SIZE;) {
    u32 *slot = &table[word(plain + at) * 2654435761u >> 19], from = *slot;
    *slot = at;
    if (from == 0 || at - from > 65535 || word(plain + from) != word(plain + at)) {
      at++;
      continue;
    }
    u32 length = 4;
    while (at + length < SIZE && plain[from + length] == plain[at + length]) length++;
    to = put_length(to, at - anchor);
    for (u32 i = anchor; i < at; i++) *to++ = plain[i];
    *to++ = (u8)(at - from), *to++ = (u8)((at - from) >> 8);
    to = put_length(to, length - 4);
    anchor = at += length;
  }
  to = put_length(to, SIZE - anchor);
  for (u32 i = anchor; i < SIZE; i++) *to++ = plain[i];
  return (u32)(to - packed);
}

static const u8* get_length(const u8* from, u32* length) {
  u32 sum = 0;
  while (*from == 255) sum += *from++;
  *length = sum + *from;
  return from + 1;
}

static u32 unpack(u32 size) {
  const u8 *from = packed, *end = packed + size;
  u8* to = unpacked;
  for (u32 length;;) {
    from = get_length(from, &length);
    for (u32 i = 0; i < length; i++) *to++ = *from++;
    if (from >= end) return (u32)(to - unpacked);
    u32 distance = from[0] | (u32)from[1] << 8;
    from = get_length(from + 2, &length);
    for (u32 i = 0; i < length + 4; i++, to++) *to = to[-(int)distance];
  }
}

KERNEL u32 run(u32 times) {
  u32 sum = 0;
  if (plain[0] == 0) fill();
  for (u32 t = 0; t < times; t++) {
    u32 size = pack(), restored = unpack(size);
    for (u32 i = 0; i < SIZE; i += 4096) sum += plain[i] == unpacked[i];
    sum = sum * 31 + size + restored;
  }
  return sum;
}
