// Indirect calls: a heap sort and a quick sort that compare through a pointer, by two orders in turn.
#include "kernel.h"

enum { N = 60000 };
typedef int (*compare)(const u32*, const u32*);
static u32 values[N];

APART static int by_value(const u32* a, const u32* b) { return *a < *b ? -1 : *a > *b; }
APART static int by_low_bits(const u32* a, const u32* b) {
  int difference = (int)(*a & 0xffff) - (int)(*b & 0xffff);
  return difference ? difference : by_value(a, b);
}
static compare volatile orders[2] = {by_value, by_low_bits};

static void swap(u32* a, u32* b) {
  u32 held = *a;
  *a = *b, *b = held;
}

static void quick(u32* low, u32* high, compare order) {
  while (low < high) {
    u32 pivot = low[(high - low) / 2], *i = low, *j = high;
    while (i <= j) {
      while (order(i, &pivot) < 0) i++;
      while (order(j, &pivot) > 0) j--;
      if (i <= j) swap(i++, j--);
    }
    quick(low, j, order);
    low = i;
  }
}

static void sift(u32 root, u32 end, compare order) {
  for (u32 child; (child = 2 * root + 1) < end; root = child) {
    if (child + 1 < end && order(&values[child], &values[child + 1]) < 0) child++;
    if (order(&values[root], &values[child]) >= 0) return;
    swap(&values[root], &values[child]);
  }
}

static void heap(compare order) {
  for (u32 i = N / 2; i-- > 0;) sift(i, N, order);
  for (u32 end = N - 1; end > 0; end--) swap(&values[0], &values[end]), sift(0, end, order);
}

KERNEL u32 run(u32 times) {
  u32 sum = 0, state = 123456789;
  for (u32 t = 0; t < times; t++) {
    for (u32 i = 0; i < N; i++) values[i] = next_random(&state);
    quick(values, values + N - 1, orders[t % 2]);
    sum = sum * 31 + values[N / 3];
    for (u32 i = 0; i < N; i++) values[i] = next_random(&state);
    heap(orders[(t + 1) % 2]);
    sum = sum * 31 + values[N / 3];
  }
  return sum;
}
