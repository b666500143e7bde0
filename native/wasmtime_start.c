// A start under Wasmtime, for insitu compare: libwasmtime.so is given, and of its C API only what is named
// here is used.
//
//   wasmtime_start LIBRARY compile MODULE.wasm OUT.cwasm
//   wasmtime_start LIBRARY start SMALL.cwasm|- FILE.cwasm [EXPORT results type:value…]
//
// start maps FILE.cwasm, instantiates it and calls EXPORT, after the same with SMALL.cwasm, and prints a
// sample as a line of JSON. The engine and the linker, which a process makes once, are made outside of what
// is timed.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

struct vector {
  size_t size;
  char* data;
};
// An extern's and a value's kind, and room for the largest member of their unions (wasmtime/extern.h,
// wasmtime/val.h).
struct external {
  uint8_t kind;
  union {
    struct {
      uint64_t store;
      void* own;
    } function;
    uint64_t room[4];
  } of;
};
struct value {
  uint8_t kind;
  union {
    int32_t i32;
    int64_t i64;
    float f32;
    double f64;
    uint64_t room[3];
  } of;
};
struct instance {
  uint64_t store;
  size_t own;
};
typedef struct error error;
typedef struct trap trap;
typedef void any;

#define API(DO)                                                                                           \
  DO(any*, wasm_engine_new, (void))                                                                       \
  DO(void, wasm_byte_vec_delete, (struct vector*))                                                        \
  DO(error*, wasmtime_module_new, (any*, const uint8_t*, size_t, any**))                                  \
  DO(error*, wasmtime_module_serialize, (any*, struct vector*))                                           \
  DO(error*, wasmtime_module_deserialize_file, (any*, const char*, any**))                                \
  DO(any*, wasmtime_store_new, (any*, void*, void (*)(void*)))                                            \
  DO(any*, wasmtime_store_context, (any*))                                                                \
  DO(error*, wasmtime_context_set_wasi, (any*, any*))                                                     \
  DO(any*, wasi_config_new, (void))                                                                       \
  DO(any*, wasmtime_linker_new, (any*))                                                                   \
  DO(error*, wasmtime_linker_define_wasi, (any*))                                                         \
  DO(error*, wasmtime_linker_define_unknown_imports_as_default_values, (any*, any*, any*))                \
  DO(error*, wasmtime_linker_instantiate, (any*, any*, any*, struct instance*, trap**))                   \
  DO(bool, wasmtime_instance_export_get, (any*, struct instance*, const char*, size_t, struct external*)) \
  DO(error*, wasmtime_func_call,                                                                          \
     (any*, const any*, const struct value*, size_t, struct value*, size_t, trap**))                      \
  DO(bool, wasmtime_error_exit_status, (const error*, int*))                                              \
  DO(void, wasmtime_error_message, (const error*, struct vector*))                                        \
  DO(void, wasm_trap_message, (const trap*, struct vector*))

#define DECLARE(type, name, parameters) static type(*name) parameters;
API(DECLARE)

static void fail(const char* what, struct vector message) {
  fprintf(stderr, "%s: ", what);
  for (size_t i = 0; i < message.size && message.data[i] != '\0'; i++)
    fputc(message.data[i] == '\n' ? ' ' : message.data[i], stderr);
  fputc('\n', stderr);
  exit(1);
}

static void say(const char* what, const char* text) {
  fail(what, (struct vector){strlen(text), (char*)text});
}

static void want(const char* what, error* failed) {
  struct vector message;
  if (failed == NULL) return;
  wasmtime_error_message(failed, &message);
  fail(what, message);
}

static void use(const char* path) {
  void* library = dlopen(path, RTLD_NOW);
  if (library == NULL) say("INSITU_WASMTIME", dlerror());
#define FIND(type, name, parameters) \
  if ((*(void**)& name = dlsym(library, #name)) == NULL) say(path, "has no " #name);
  API(FIND)
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static long anonymous(void) {
  char line[256];
  long kib = -1;
  FILE* file = fopen("/proc/self/smaps_rollup", "re");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) sscanf(line, "Anonymous: %ld", &kib);
  if (file != NULL) fclose(file);
  return kib * 1024;
}

static struct vector read_all(const char* path) {
  struct vector bytes = {0, NULL};
  FILE* file = fopen(path, "re");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) say(path, "can not be read");
  bytes.size = (size_t)ftell(file);
  bytes.data = malloc(bytes.size + 1);
  rewind(file);
  if (bytes.data == NULL || fread(bytes.data, 1, bytes.size, file) != bytes.size)
    say(path, "can not be read");
  fclose(file);
  return bytes;
}

static int compile(any* engine, const char* from, const char* to) {
  struct vector source = read_all(from), compiled;
  any* module;
  want("wasmtime", wasmtime_module_new(engine, (const uint8_t*)source.data, source.size, &module));
  want("wasmtime", wasmtime_module_serialize(module, &compiled));
  FILE* file = fopen(to, "we");
  if (file == NULL || fwrite(compiled.data, 1, compiled.size, file) != compiled.size || fclose(file) != 0)
    say(to, "can not be written");
  return 0;
}

static struct value value_of(const char* text) {
  struct value value = {0};
  const char* number = text + 4;  // behind "i32:"
  if (strncmp(text, "i32:", 4) == 0) {
    value.of.i32 = (int32_t)(uint32_t)strtoll(number, NULL, 0);
  } else if (strncmp(text, "i64:", 4) == 0) {
    value.kind = 1;
    value.of.i64 = *number == '-' ? strtoll(number, NULL, 0) : (int64_t)strtoull(number, NULL, 0);
  } else if (strncmp(text, "f32:", 4) == 0) {
    value.kind = 2;
    value.of.f32 = strtof(number, NULL);
  } else {
    value.kind = 3;
    value.of.f64 = strtod(number, NULL);
  }
  return value;
}

struct times {
  int64_t load, instantiate, call;
};

struct call {
  const char* name;
  size_t count, results;
  struct value arguments[64], room[64];
};

static bool find(any* context, struct instance* instance, const char* name, struct external* found) {
  return wasmtime_instance_export_get(context, instance, name, strlen(name), found);
}

/// Leaves how the call ended in `ending`.
static void call_export(any* context, struct instance* instance, struct call* call, char ending[256]) {
  struct external target;
  trap* trapped = NULL;
  int status = 0;
  if (!find(context, instance, call->name, &target)) say(call->name, "is not exported");
  error* failed = wasmtime_func_call(context, &target.of, call->arguments, call->count, call->room,
                                     call->results, &trapped);
  bool exited = failed != NULL && wasmtime_error_exit_status(failed, &status);
  snprintf(ending, 256, "%s", failed != NULL && !exited ? "threw" : trapped != NULL ? "threw" : "returned");
}

static struct times start(any* engine, const char* path, struct call* call, char ending[256]) {
  struct times times;
  struct instance instance;
  struct external initialize;
  any* module;
  trap* trapped = NULL;
  any* context = wasmtime_store_context(wasmtime_store_new(engine, NULL, NULL));
  want("wasmtime", wasmtime_context_set_wasi(context, wasi_config_new()));
  any* linker = wasmtime_linker_new(engine);
  want("wasmtime", wasmtime_linker_define_wasi(linker));
  int64_t begin = now();
  want("wasmtime", wasmtime_module_deserialize_file(engine, path, &module));
  times.load = now() - begin;
  want("wasmtime", wasmtime_linker_define_unknown_imports_as_default_values(linker, context, module));
  begin = now();
  want("wasmtime", wasmtime_linker_instantiate(linker, context, module, &instance, &trapped));
  if (trapped == NULL && find(context, &instance, "_initialize", &initialize))
    want("wasmtime", wasmtime_func_call(context, &initialize.of, NULL, 0, NULL, 0, &trapped));
  times.instantiate = now() - begin;
  if (trapped != NULL) say("wasmtime", "instantiation trapped");
  begin = now();
  if (call != NULL) call_export(context, &instance, call, ending);
  times.call = now() - begin;
  return times;
}

static void print(struct times times, const struct call* call, const char* ending,
                  const struct rusage usage[2], long private_bytes) {
  printf("\ninsitu sample: {\"ns\":%jd,\"phases\":{\"load\":%jd,\"instantiate\":%jd",
         (intmax_t)(times.load + times.instantiate + (call == NULL ? 0 : times.call)), (intmax_t)times.load,
         (intmax_t)times.instantiate);
  if (call != NULL) printf(",\"call\":%jd", (intmax_t)times.call);
  printf(
      "},\"bytesInPlace\":0,\"bytesCopied\":0,\"minorFaults\":%ld,\"majorFaults\":%ld,\"privateBytes\":%ld",
      usage[1].ru_minflt - usage[0].ru_minflt, usage[1].ru_majflt - usage[0].ru_majflt, private_bytes);
  if (call != NULL) printf(",\"ending\":\"%s\"", ending);
  printf("}\n");
}

static int sample(any* engine, int argc, char** argv) {
  static struct call call;
  char ending[256] = "";
  struct rusage usage[2];
  const char *small = argv[3], *file = argv[4];
  if (argc > 6) {
    call.name = argv[5];
    call.results = strtoul(argv[6], NULL, 10);
    for (int i = 7; i < argc && call.count < 64; i++) call.arguments[call.count++] = value_of(argv[i]);
    if (call.results > 64) say(call.name, "has more than 64 results");
  }
  struct call other = {.name = "small", .results = 1};
  if (strcmp(small, "-") != 0) start(engine, small, &other, ending);
  struct call* wanted = call.name == NULL ? NULL : &call;
  long before = anonymous();
  getrusage(RUSAGE_SELF, &usage[0]);
  struct times times = start(engine, file, wanted, ending);
  getrusage(RUSAGE_SELF, &usage[1]);
  print(times, wanted, ending, usage, anonymous() - before);
  return 0;
}

int main(int argc, char** argv) {
  if (argc < 5) {
    fputs("usage: wasmtime_start LIBRARY compile|start …\n", stderr);
    return 2;
  }
  use(argv[1]);
  any* engine = wasm_engine_new();
  return strcmp(argv[2], "compile") == 0 ? compile(engine, argv[3], argv[4]) : sample(engine, argc, argv);
}
