// Branches by table: a small machine with a stack runs a program that counts steps of 3n + 1.
#include "kernel.h"

enum operation { PUSH, LOAD, STORE, ADD, MUL, HALVE, ODD, LESS, JUMP, JUMP_IF, HALT };

enum { OUTER = 4, LOOP = 8, IS_ODD = 27, NEXT = 39 };
static const u8 program[] = {
    PUSH, 1, STORE, 0,                                                           // candidate = 1
    LOAD, 0, STORE, 1,                                                           // OUTER: n = candidate
    LOAD, 1, PUSH,  2,       LESS,   JUMP_IF, NEXT,                              // LOOP: until n < 2
    LOAD, 1, ODD,   JUMP_IF, IS_ODD,                                             //
    LOAD, 1, HALVE, STORE,   1,      JUMP,    LOOP,                              // n = n / 2
    LOAD, 1, PUSH,  3,       MUL,    PUSH,    1,    ADD,  STORE, 1, JUMP, LOOP,  // IS_ODD: n = 3n + 1
    LOAD, 0, PUSH,  1,       ADD,    STORE,   0,    JUMP, OUTER,                 // NEXT: candidate + 1
};

static u32 execute(const u8* code, u32 limit) {
  u32 stack[16], variables[4] = {0}, *top = stack, steps = 0;
  for (u32 at = 0;; steps++) {
    switch ((enum operation)code[at++]) {
      case PUSH:
        *top++ = code[at++];
        break;
      case LOAD:
        *top++ = variables[code[at++]];
        break;
      case STORE:
        variables[code[at++]] = *--top;
        break;
      case ADD:
        top--, top[-1] += *top;
        break;
      case MUL:
        top--, top[-1] *= *top;
        break;
      case HALVE:
        top[-1] >>= 1;
        break;
      case ODD:
        top[-1] &= 1;
        break;
      case LESS:
        top--, top[-1] = top[-1] < *top;
        break;
      case JUMP:
        at = code[at];
        break;
      case JUMP_IF:
        at = *--top ? code[at] : at + 1;
        break;
      case HALT:
        return steps;
    }
    if (steps > limit) return variables[0];
  }
}

KERNEL u32 run(u32 times) { return execute(program, times * 100000); }
