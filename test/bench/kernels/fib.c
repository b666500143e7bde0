// Calls: the recursion that does nothing else.
#include "kernel.h"

APART static u32 fib(u32 n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

KERNEL u32 run(u32 times) {
  u32 sum = 0;
  for (u32 i = 0; i < times; i++) sum += fib(24 + (i & 3));
  return sum;
}
