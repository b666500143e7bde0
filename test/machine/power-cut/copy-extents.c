// copy-extents FROM SKIP LENGTH TO START …: each five arguments copy LENGTH bytes from byte SKIP of one file
// to byte START of another, in bytes all. What is a hole or zero in the first becomes a hole of the second.
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 65536 };

static void copy(int from, off_t at, int to, off_t start) {
  static char bytes[BLOCK], zeros[BLOCK];
  ssize_t got = pread(from, bytes, BLOCK, at);
  if (got < 0) err(1, "pread");
  if (memcmp(bytes, zeros, got) != 0 && pwrite(to, bytes, got, start) != got) err(1, "pwrite");
}

static void copy_extents(int from, off_t skip, off_t length, int to, off_t start) {
  if (fallocate(to, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, length) != 0) err(1, "fallocate");
  const off_t end = skip + length;
  for (off_t at = lseek(from, skip, SEEK_DATA); at >= 0 && at < end; at = lseek(from, at, SEEK_DATA)) {
    const off_t hole = lseek(from, at, SEEK_HOLE);
    for (at -= (at - skip) % BLOCK; at < hole && at < end; at += BLOCK)
      copy(from, at, to, start + (at - skip));
  }
  if (errno != ENXIO && errno != 0) err(1, "lseek");
}

int main(int argc, char** argv) {
  for (int i = 1; i + 4 < argc; i += 5) {
    const int from = open(argv[i], O_RDONLY), to = open(argv[i + 3], O_RDWR);
    if (from < 0 || to < 0) err(1, "%s or %s", argv[i], argv[i + 3]);
    errno = 0;
    copy_extents(from, atoll(argv[i + 1]), atoll(argv[i + 2]), to, atoll(argv[i + 4]));
    close(from);
    close(to);
  }
  return 0;
}
