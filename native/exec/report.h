// What the runner says and how it ends when it cannot start the program.
#pragma once
#include "failure.h"

namespace insitu {

constexpr int kUsageError = 2;
constexpr int kRefused = 126;  // as a shell says of what it found and could not start
constexpr int kNotFound = 127;

using Line = Text<2048>;

uint64_t length(const char* s);

/// False when not everything could be written.
bool write_text(int fd, const char* text);

[[noreturn]] void leave(int status);

/// "insitu-exec: NAME: found; want", one line on standard error. `name` is printable (pages.h).
[[noreturn]] void refuse(const char* name, const Failure& failure, int status = kRefused);

}  // namespace insitu
