// The "one other small file" that insitu compare loads before the one it measures. Has what most libraries have:
// a relocated pointer, an undefined weak symbol, zero fill.
extern void insitu_nowhere(void) __attribute__((weak));
static int counter;
static int step(void) { return ++counter + 41; }
static int (*const volatile steps[])(void) = {step, step};
int insitu_small(void) { return steps[insitu_nowhere != 0](); }
