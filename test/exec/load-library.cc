// The library loader without Node, for processors that have none here: loads a shared object in place or
// copied and calls functions of the form int f(void).  load-library [--copy] FILE FUNCTION…
#include <cstdio>
#include <cstring>

#include "load.h"

int main(int argc, char** argv) {
  insitu::LoadOptions options;
  int at = 1;
  if (at < argc && strcmp(argv[at], "--copy") == 0) {
    options.copy = true;
    at++;
  }
  try {
    insitu::LoadRecord record;
    const auto library = insitu::load(argv[at++], options, record);
    for (; at < argc; at++) {
      const uint64_t address = library->symbol(argv[at]);
      if (address == 0) return 3;
      printf("%s=%d\n", argv[at], reinterpret_cast<int (*)()>(address)());
    }
    printf("copied=%d\n", library->mapping().bytes_copied != 0);
    library->close();
    return 0;
  } catch (const insitu::LoadFailure& failure) {
    printf("%s: %s\n", failure.code, failure.text.c_str());
    return 126;
  }
}
