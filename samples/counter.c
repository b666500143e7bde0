// What a loader owes a library besides its text: constructors and destructors in order, relocated pointers
// that become read-only (RELRO), a block of thread-local storage for every thread, and zeroed .bss.
#include <stdio.h>
#include <string.h>

// .bss: no byte of it is in the file.
static char journal[256];
static int total;

// General dynamic TLS: reached through __tls_get_addr, so the library may be loaded at any time.
static _Thread_local int in_this_thread __attribute__((tls_model("global-dynamic"))) = 100;

static void record(const char* event) {
  if (strlen(journal) + strlen(event) + 2 > sizeof journal) return;
  if (journal[0] != '\0') strcat(journal, " ");
  strcat(journal, event);
}

__attribute__((constructor(101))) static void construct_first(void) { record("first"); }
__attribute__((constructor(102))) static void construct_second(void) { record("second"); }
__attribute__((destructor(102))) static void destroy_second(void) { puts("counter: second destroyed"); }
__attribute__((destructor(101))) static void destroy_first(void) {
  puts("counter: first destroyed");
  fflush(stdout);
}

static int add(int a, int b) { return a + b; }
static int subtract(int a, int b) { return a - b; }

// .data.rel.ro: constant, but each pointer needs a relocation.
static int (*const operations[])(int, int) = {add, subtract};

/// Events so far, separated by blanks: "first second" once the constructors have run.
const char* counter_journal(void) { return journal; }

/// Counts calls in the whole process: 1, 2, 3 …
int counter_next(void) { return ++total; }

/// Counts calls in the calling thread: 101, 102 … in each.
int counter_next_in_thread(void) { return ++in_this_thread; }

/// operation 0 adds, 1 subtracts; anything else gives -1.
int counter_apply(unsigned operation, int a, int b) {
  return operation < sizeof operations / sizeof operations[0] ? operations[operation](a, b) : -1;
}

/// Where the relocated pointers lie; writing there after load must fault.
const void* counter_operations(void) { return operations; }
