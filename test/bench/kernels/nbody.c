// Floating point with roots and divisions: five bodies that attract each other.
#include "kernel.h"

enum { BODIES = 5 };
static struct body {
  double x[3], v[3], mass;
} bodies[BODIES];

static void start(void) {
  u32 state = 2463534242u;
  for (int i = 0; i < BODIES; i++) {
    for (int k = 0; k < 3; k++) {
      bodies[i].x[k] = (double)(next_random(&state) % 2000) / 100 - 10;
      bodies[i].v[k] = (double)(next_random(&state) % 200) / 1000 - 0.1;
    }
    bodies[i].mass = i == 0 ? 40 : 0.01 * (i + 1);
  }
}

static void step(double dt) {
  for (int i = 0; i < BODIES; i++)
    for (int j = i + 1; j < BODIES; j++) {
      double d[3], square = 0.001;
      for (int k = 0; k < 3; k++) d[k] = bodies[i].x[k] - bodies[j].x[k], square += d[k] * d[k];
      double pull = dt / (square * __builtin_sqrt(square));
      for (int k = 0; k < 3; k++) {
        bodies[i].v[k] -= d[k] * bodies[j].mass * pull;
        bodies[j].v[k] += d[k] * bodies[i].mass * pull;
      }
    }
  for (int i = 0; i < BODIES; i++)
    for (int k = 0; k < 3; k++) bodies[i].x[k] += dt * bodies[i].v[k];
}

KERNEL u32 run(u32 times) {
  start();
  for (u32 i = 0; i < times * 50000; i++) step(0.001);
  return (u32)(int32_t)(bodies[0].x[0] * 1e6);
}
