// What happens when a page of the program goes away underneath it. A program in place has no copy: if its
// file is truncated, or the medium fails, touching such a page raises SIGBUS. The signal ends the program as
// it always did, but first one line says which file it was. The same watch covers the loading itself.
#pragma once
#include "elf.h"
#include "segments.h"

struct stat;

namespace insitu {

/// From here on SIGBUS is ours, whatever it was set to.
void watch_pages();

/// Keeps a printable copy of FILE's name ("FILE: interpreter PATH" with `of`), which outlives the loading.
const char* keep_name(const char* path, const char* of = nullptr);

/// Remembers what of the file will be mapped where.
void watch_file(const char* path, const char* name, const struct stat& status, uint64_t start,
                const Plan& plan, const Mapping& mapping);

/// Loading is over. SIGBUS stays ours only where the program would have found it at SIG_DFL.
void keep_watch();

}  // namespace insitu
