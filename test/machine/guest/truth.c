// What the suite believes about memory, found out without any of insitu: frame numbers of /proc/PID/pagemap
// in the ranges of /proc/iomem, MAP_SYNC by asking for it, faults by counting them.
//
//   truth pages PID PREFIX...   one line a mapping of files that start with a PREFIX, or of "anonymous"
//   memory:
//                               PROTECTION PAGES PRESENT NVM RAM START OFFSET PATH
//   truth range PID ADDRESS LENGTH     PAGES PRESENT NVM RAM
//   truth in-ram PID ADDRESS LENGTH    the addresses of its pages that are in System RAM
//   truth map-sync FILE         yes or no
//   truth faults FILE OFFSET LENGTH    touches one byte a page, read-only, at a 2 MiB-congruent address;
//   counts minor faults
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PAGE = 4096, HUGE = 2 << 20 };

static struct range {
  uint64_t first, last;
  int nvm;
} ranges[256];
static int range_count;

static void die(const char* what) {
  fprintf(stderr, "truth: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void read_iomem(void) {
  FILE* file = fopen("/proc/iomem", "r");
  char line[256];
  if (!file) die("/proc/iomem");
  while (fgets(line, sizeof line, file) && range_count < 256) {
    unsigned long long first, last;
    char name[128];
    if (line[0] == ' ' || sscanf(line, "%llx-%llx : %127[^\n]", &first, &last, name) != 3) continue;
    const int nvm = !strncmp(name, "Persistent Memory", 17);
    if (nvm || !strcmp(name, "System RAM")) ranges[range_count++] = (struct range){first, last, nvm};
  }
  fclose(file);
}

struct count {
  uint64_t pages, present, nvm, ram;
};

static struct count count_pages(int pagemap, uint64_t address, uint64_t length) {
  struct count count = {.pages = length / PAGE};
  for (uint64_t at = address; at < address + length; at += PAGE) {
    uint64_t entry;
    if (pread(pagemap, &entry, 8, (off_t)(at / PAGE * 8)) != 8) break;  // above user space: [vsyscall]
    if (!(entry >> 63)) continue;
    count.present++;
    const uint64_t physical = (entry & ((1ull << 55) - 1)) * PAGE;
    for (int i = 0; i < range_count; i++)
      if (physical >= ranges[i].first && physical <= ranges[i].last)
        ranges[i].nvm ? count.nvm++ : count.ram++;
  }
  return count;
}

static int open_pagemap(const char* pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%s/pagemap", pid);
  const int fd = open(path, O_RDONLY);
  if (fd < 0) die(path);
  read_iomem();
  return fd;
}

static int wanted(const char* name, char** prefixes) {
  if (!*name) name = "anonymous";
  for (; *prefixes; prefixes++)
    if (!strncmp(name, *prefixes, strlen(*prefixes))) return 1;
  return 0;
}

static void pages(const char* pid, char** prefixes) {
  char path[64], line[1024];
  const int pagemap = open_pagemap(pid);
  snprintf(path, sizeof path, "/proc/%s/maps", pid);
  FILE* maps = fopen(path, "r");
  if (!maps) die(path);
  while (fgets(line, sizeof line, maps)) {
    unsigned long start, end, offset;
    char protection[8];
    int name = 0;
    sscanf(line, "%lx-%lx %7s %lx %*s %*s %n", &start, &end, protection, &offset, &name);
    line[strcspn(line, "\n")] = 0;
    if (!name || !wanted(line + name, prefixes)) continue;
    const struct count c = count_pages(pagemap, start, end - start);
    printf("%s %lu %lu %lu %lu 0x%lx 0x%lx %s\n", protection, c.pages, c.present, c.nvm, c.ram, start, offset,
           line[name] ? line + name : "anonymous");
  }
}

static void range(char** arguments) {
  const int pagemap = open_pagemap(arguments[0]);
  const struct count c = count_pages(pagemap, strtoull(arguments[1], 0, 0), strtoull(arguments[2], 0, 0));
  printf("%lu %lu %lu %lu\n", c.pages, c.present, c.nvm, c.ram);
}

static void in_ram(char** arguments) {
  const int pagemap = open_pagemap(arguments[0]);
  const uint64_t address = strtoull(arguments[1], 0, 0), length = strtoull(arguments[2], 0, 0);
  for (uint64_t at = address; at < address + length; at += PAGE)
    if (count_pages(pagemap, at, PAGE).ram) printf("0x%lx\n", at);
}

static int open_file(const char* path) {
  const int fd = open(path, O_RDONLY);
  if (fd < 0) die(path);
  return fd;
}

static void map_sync(const char* path) {
  const int fd = open_file(path);
  const int flags = MAP_SHARED_VALIDATE | MAP_SYNC;
  // Device-dax maps whole units only.
  const int granted = mmap(0, PAGE, PROT_READ, flags, fd, 0) != MAP_FAILED ||
                      mmap(0, HUGE, PROT_READ, flags, fd, 0) != MAP_FAILED;
  puts(granted ? "yes" : "no");
}

static long minor_faults(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

static void faults(char** arguments) {
  const int fd = open_file(arguments[0]);
  const uint64_t offset = strtoull(arguments[1], 0, 0), length = strtoull(arguments[2], 0, 0);
  char* room = mmap(0, length + 2 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) die("mmap");
  char* at = (char*)(((uintptr_t)room + HUGE - 1) / HUGE * HUGE + offset % HUGE);
  if (mmap(at, length, PROT_READ, MAP_SHARED | MAP_FIXED, fd, (off_t)offset) == MAP_FAILED) die("mmap");
  volatile char sum = 0;
  const long before = minor_faults();
  for (uint64_t i = 0; i < length; i += PAGE) sum += at[i];
  printf("%ld\n", minor_faults() - before);
}

int main(int count, char** arguments) {
  const char* what = count > 1 ? arguments[1] : "";
  if (!strcmp(what, "pages") && count > 3)
    pages(arguments[2], arguments + 3);
  else if (!strcmp(what, "range") && count == 5)
    range(arguments + 2);
  else if (!strcmp(what, "in-ram") && count == 5)
    in_ram(arguments + 2);
  else if (!strcmp(what, "map-sync") && count == 3)
    map_sync(arguments[2]);
  else if (!strcmp(what, "faults") && count == 5)
    faults(arguments + 2);
  else
    return fputs("usage: truth pages|range|in-ram|map-sync|faults ...\n", stderr), 2;
  return 0;
}
