// A position-independent program with an interpreter (ld.so): its text may lie anywhere, and its C library is
// another file. The line of /proc/self/maps that holds main names the file that main runs from.
#include <stdio.h>
#include <stdlib.h>

static void print_mapping_of(const void* address) {
  FILE* maps = fopen("/proc/self/maps", "r");
  if (maps == NULL) return perror("/proc/self/maps");
  char line[4352];
  while (fgets(line, sizeof line, maps) != NULL) {
    unsigned long start, end;
    if (sscanf(line, "%lx-%lx", &start, &end) != 2) continue;
    if ((unsigned long)address >= start && (unsigned long)address < end) fputs(line, stdout);
  }
  fclose(maps);
}

int main(int argc, char** argv) {
  printf("main is at %p, printf at %p\n", (void*)main, (void*)printf);
  print_mapping_of((void*)main);
  for (int i = 0; i < argc; i++) printf("argv[%d] = %s\n", i, argv[i]);
  const char* home = getenv("HOME");
  printf("HOME = %s\n", home == NULL ? "(unset)" : home);
  return 0;
}
