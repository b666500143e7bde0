// Strings and 64-bit integers: words counted in a table with open addressing, hashed by FNV-1a.
#include "kernel.h"

enum { SLOTS = 1 << 14, WORDS = 60000 };
static struct {
  u64 hash;
  u32 length, count;
  char text[16];
} slots[SLOTS];

static u32 spell(char* to, u32 n) {
  u32 length = 0;
  do to[length++] = (char)('a' + n % 26);
  while ((n /= 13) > 0);
  return length;
}

static u64 hash_of(const char* text, u32 length) {
  u64 hash = 0xcbf29ce484222325ull;
  for (u32 i = 0; i < length; i++) hash = (hash ^ (u8)text[i]) * 0x100000001b3ull;
  return hash;
}

static u32 same(const char* a, const char* b, u32 length) {
  for (u32 i = 0; i < length; i++)
    if (a[i] != b[i]) return 0;
  return 1;
}

static u32 count(const char* text, u32 length) {
  u64 hash = hash_of(text, length);
  for (u32 at = (u32)(hash >> 32) % SLOTS;; at = (at + 1) % SLOTS) {
    if (slots[at].count && (slots[at].hash != hash || slots[at].length != length)) continue;
    if (slots[at].count && !same(slots[at].text, text, length)) continue;
    slots[at].hash = hash;
    slots[at].length = length;
    memcpy(slots[at].text, text, length);
    return ++slots[at].count;
  }
}

KERNEL u32 run(u32 times) {
  u32 sum = 0, state = 88172645;
  for (u32 t = 0; t < times; t++) {
    for (u32 i = 0; i < SLOTS; i++) slots[i].count = 0;
    for (u32 i = 0; i < WORDS; i++) {
      char word[16];
      u32 length = spell(word, next_random(&state) % 9000);
      sum = sum * 31 + count(word, length);
    }
  }
  return sum;
}
