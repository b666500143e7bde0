// A program with no interpreter: the loader maps it, builds its stack (argv, envp, auxv) and jumps to its
// entry.
#include <stdio.h>

int main(int argc, char** argv, char** envp) {
  printf("main is at %p\n", (void*)main);
  for (int i = 0; i < argc; i++) printf("argv[%d] = %s\n", i, argv[i]);
  for (int i = 0; envp[i] != NULL; i++) printf("envp[%d] = %s\n", i, envp[i]);
  return 0;
}
