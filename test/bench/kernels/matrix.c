// Floating point in loops: products of matrices of doubles.
#include "kernel.h"

enum { N = 160 };
static double a[N][N], b[N][N], c[N][N];

KERNEL u32 run(u32 times) {
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) a[i][j] = (double)(i * j % 17) / 16, b[i][j] = (double)(i + j) / N;
  double sum = 0;
  for (u32 t = 0; t < times; t++) {
    for (int i = 0; i < N; i++)
      for (int j = 0; j < N; j++) {
        double dot = 0;
        for (int k = 0; k < N; k++) dot += a[i][k] * b[k][j];
        c[i][j] = dot;
      }
    sum += c[t % N][N / 2];
  }
  return (u32)(sum * 1000);
}
