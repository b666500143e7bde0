// Floating point with branches that are hard to foresee: the escape times of a picture.
#include "kernel.h"

KERNEL u32 run(u32 times) {
  u32 sum = 0;
  for (u32 t = 0; t < times; t++)
    for (int row = 0; row < 128; row++)
      for (int column = 0; column < 192; column++) {
        double cx = column / 64.0 - 2.1, cy = row / 64.0 - 1, x = 0, y = 0;
        u32 n = 0;
        while (n < 200 && x * x + y * y < 4) {
          double next = x * x - y * y + cx;
          y = 2 * x * y + cy;
          x = next;
          n++;
        }
        sum += n;
      }
  return sum;
}
