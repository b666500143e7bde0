// recorder --region PATH [--length BYTES] --trace FILE [--every] [--grant-sync] [--remove sfence|clwb|…]
// [--max-steps N] -- COMMAND… Starts COMMAND and records what its main thread does to the region between
// access("/insitu-record-begin") and access("/insitu-record-end"); access("/insitu-record-TEXT") in between
// becomes a mark. Writes FILE and FILE.image. Exit status: the program's own, 125 where the recording failed,
// 127 where the program could not be started.
#include <stdlib.h>
#include <string.h>

#include "recorder.h"

namespace order {
namespace {

Kind kind_of(const char* name) {
  for (const Kind kind : {Kind::sfence, Kind::mfence, Kind::clwb, Kind::clflushopt, Kind::clflush})
    if (strcmp(name, kind_name(kind)) == 0) return kind;
  give_up("--remove %s: not a fence or a write-back", name);
}

uint64_t number_of(const char* text) {
  char* end = nullptr;
  const unsigned long long value = strtoull(text, &end, 0);
  if (*text == '\0' || *end != '\0') give_up("'%s' is no number", text);
  return value;
}

Options parse(int count, char** arguments) {
  Options options;
  int at = 1;
  for (; at < count && strcmp(arguments[at], "--") != 0; at++) {
    const char* const name = arguments[at];
    if (strcmp(name, "--every") == 0) {
      options.every = true;
      continue;
    }
    if (strcmp(name, "--grant-sync") == 0) {
      options.grant_sync = true;
      continue;
    }
    if (at + 1 == count) give_up("%s: want a value", name);
    const char* const value = arguments[++at];
    if (strcmp(name, "--region") == 0)
      options.region = value;
    else if (strcmp(name, "--length") == 0)
      options.length = number_of(value);
    else if (strcmp(name, "--trace") == 0)
      options.trace = value;
    else if (strcmp(name, "--remove") == 0)
      options.removed = kind_of(value);
    else if (strcmp(name, "--max-steps") == 0)
      options.max_steps = number_of(value);
    else
      give_up("unknown option %s", name);
  }
  if (at + 1 >= count) give_up("want -- and a command");
  options.command = arguments + at + 1;
  if (options.region == nullptr || options.trace == nullptr) give_up("want --region and --trace");
  return options;
}

}  // namespace
}  // namespace order

int main(int count, char** arguments) { return order::Recorder(order::parse(count, arguments)).run(); }
