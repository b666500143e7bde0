// Bits and recursion: the ways to place nine and ten queens.
#include "kernel.h"

static u32 place(u32 all, u32 columns, u32 left, u32 right) {
  if (columns == all) return 1;
  u32 count = 0;
  for (u32 open = all & ~(columns | left | right); open; open &= open - 1) {
    u32 bit = open & -open;
    count += place(all, columns | bit, (left | bit) << 1, (right | bit) >> 1);
  }
  return count;
}

KERNEL u32 run(u32 times) {
  u32 sum = 0;
  for (u32 i = 0; i < times; i++) sum += place((1u << (9 + (i & 1))) - 1, 0, 0, 0);
  return sum;
}
