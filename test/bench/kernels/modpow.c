// 64-bit integers, multiplied and divided: the test of Miller and Rabin for numbers of 32 bits.
#include "kernel.h"

static u64 power(u64 base, u64 exponent, u64 modulus) {
  u64 result = 1;
  for (base %= modulus; exponent; exponent >>= 1, base = base * base % modulus)
    if (exponent & 1) result = result * base % modulus;
  return result;
}

static u32 passes(u64 n, u64 base) {
  u64 odd = n - 1, x;
  int twos = 0;
  for (; !(odd & 1); odd >>= 1) twos++;
  x = power(base, odd, n);
  if (x == 1 || x == n - 1) return 1;
  while (--twos > 0)
    if ((x = x * x % n) == n - 1) return 1;
  return 0;
}

KERNEL u32 run(u32 times) {
  u32 count = 0;
  for (u64 n = 0xfffff001ull - times * 400; n < 0xfffff001ull; n += 2)
    count += passes(n, 2) && passes(n, 7) && passes(n, 61);
  return count;
}
