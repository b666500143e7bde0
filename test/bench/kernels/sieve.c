// Bytes and branches: primes below a million.
#include "kernel.h"

enum { LIMIT = 1000000 };
static u8 composite[LIMIT];

KERNEL u32 run(u32 times) {
  u32 count = 0;
  for (u32 t = 0; t < times; t++) {
    for (u32 i = 0; i < LIMIT; i++) composite[i] = 0;
    for (u32 i = 2; i < LIMIT; i++) {
      if (composite[i]) continue;
      count++;
      for (u32 j = i * 2; j < LIMIT; j += i) composite[j] = 1;
    }
  }
  return count;
}
