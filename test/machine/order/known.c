// Stores, write-backs and fences in a known order, one of each encoding that the recorder has to tell: its
// test compares.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

static volatile unsigned char* r;

static void* other_thread(void* nothing) {
  r[1] = 1;
  return nothing;
}

static void write_backs(void) {
  *(volatile uint64_t*)(r + 8) = 0x1122334455667788;
  __asm__ volatile("clwb %0" : : "m"(r[8]));
  __asm__ volatile("sfence");
  access("/insitu-record-one", F_OK);
  *(volatile uint32_t*)(r + 64) = 1;
  register unsigned long index __asm__("r13") = 32;
  register volatile unsigned char* base __asm__("r12") = r;
  __asm__ volatile("clflushopt (%0,%1,2)" : : "r"(base), "r"(index));
  __asm__ volatile("mfence");
  *(volatile uint64_t*)(r + 128) = 5;
  __asm__ volatile("clflush %0" : : "m"(r[130]));
  __asm__ volatile("lock incq %0" : "+m"(*(uint64_t*)(r + 136)));
  __asm__ volatile("lfence");
  register volatile unsigned char* tail __asm__("r13") = r + 512;
  __asm__ volatile("clwb -384(%0)" : : "r"(tail));
  __asm__ volatile("sfence");
}

static void wide_stores(void) {
  __asm__ volatile("movnti %1, %0" : "=m"(r[192]) : "r"(7L));
  __asm__ volatile("sfence");
  const unsigned char from[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  __asm__ volatile("movdqu %1, %%xmm0; movntdq %%xmm0, %0" : "=m"(r[208]) : "m"(from) : "xmm0");
  __asm__ volatile("sfence");
  __asm__ volatile("movdqu %1, %%xmm0; movdqu %%xmm0, %0" : "=m"(r[1020]) : "m"(from) : "xmm0");
  void *to = (void*)(r + 2044), *source = (void*)from;
  long count = 6;
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(source), "+c"(count) : : "memory");
  // Not to the region: no event, however long.
  static unsigned char elsewhere[1 << 16];
  to = elsewhere, count = sizeof elsewhere;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(1) : "memory");
  msync((void*)r, 4096, MS_SYNC);
}

static void by_the_kernel(int fd) {
  int ends[2];
  if (pipe(ends) != 0 || write(ends[1], "hello", 5) != 5 || read(ends[0], (void*)(r + 4096), 5) != 5) abort();
  if (pwrite(fd, "world", 5, 5000) != 5 || fdatasync(fd) != 0) abort();
  struct iovec part = {(void*)(r + 6000), 3};
  if (write(ends[1], "xyz", 3) != 3 || readv(ends[0], &part, 1) != 3) abort();
}

static void second_mapping(int fd) {
  volatile unsigned char* m = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
  m[10] = 9;
  __asm__ volatile("clwb %0" : : "m"(m[10]));
  __asm__ volatile("sfence");
  mprotect((void*)m, 4096, PROT_READ);
  munmap((void*)m, 4096);
  m = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 4096);
  m[11] = 9;
}

int main(int count, char** arguments) {
  if (count < 3) return 1;
  const int fd = open(arguments[1], O_RDWR);
  r = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  r[0] = 1;  // before the begin: part of the image
  access("/insitu-record-begin", F_OK);
  if (strcmp(arguments[2], "thread") == 0) {
    pthread_t thread;
    pthread_create(&thread, 0, other_thread, 0);
    pthread_join(thread, 0);
  } else if (strcmp(arguments[2], "unfinished") == 0) {
    return 0;
  } else {
    write_backs();
    wide_stores();
    by_the_kernel(fd);
    second_mapping(fd);
  }
  access("/insitu-record-end", F_OK);
  r[2] = 77;
  return 5;
}
