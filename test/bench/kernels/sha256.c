// 32-bit integers: SHA-256 (FIPS 180-4) of 256 KiB.
#include "kernel.h"

enum { SIZE = 256 << 10 };
static u8 message[SIZE];
static u32 constants[64];

// The first 32 bits behind the point, by Newton's method.
static u32 cube_root_fraction(double n) {
  double root = 2;
  for (int i = 0; i < 60; i++) root -= (root * root * root - n) / (3 * root * root);
  return (u32)(u64)(root * 4294967296.0);
}

static void make_constants(void) {
  u32 found = 0;
  for (u32 n = 2; found < 64; n++) {
    u32 prime = 1;
    for (u32 d = 2; d * d <= n; d++) prime &= n % d != 0;
    if (prime) constants[found++] = cube_root_fraction(n);
  }
}

static inline u32 turn(u32 x, int n) { return x >> n | x << (32 - n); }

static void block(u32 state[8], const u8* at) {
  u32 w[64];
  for (int i = 0; i < 16; i++)
    w[i] = (u32)at[4 * i] << 24 | (u32)at[4 * i + 1] << 16 | (u32)at[4 * i + 2] << 8 | at[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    u32 s0 = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3;
    u32 s1 = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  u32 a = state[0], b = state[1], c = state[2], d = state[3];
  u32 e = state[4], f = state[5], g = state[6], h = state[7];
  for (int i = 0; i < 64; i++) {
    u32 t1 = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + constants[i] + w[i];
    u32 t2 = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  u32 sums[8] = {a, b, c, d, e, f, g, h};
  for (int i = 0; i < 8; i++) state[i] += sums[i];
}

KERNEL u32 run(u32 times) {
  u32 state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  if (!constants[0]) make_constants();
  for (u32 i = 0; i < SIZE; i++) message[i] = (u8)(i * 7);
  for (u32 t = 0; t < times; t++)
    for (u32 at = 0; at < SIZE; at += 64) block(state, message + at);
  return state[0] ^ state[7];
}
