#include "exec/stack.h"

#include "exec/report.h"

namespace insitu {
namespace {

void reverse(char* first, char* end) {
  while (first + 1 < end) {
    const char c = *first;
    *first++ = *--end;
    *end = c;
  }
}

/// [first, middle) and [middle, end) change places.
void rotate(char* first, char* middle, char* end) {
  reverse(first, middle);
  reverse(middle, end);
  reverse(first, end);
}

/// The kernel lays the strings one after the other; nothing says that it must.
bool contiguous(char** argv, long first, long last) {
  for (long i = first; i < last; i++)
    if (argv[i] + length(argv[i]) + 1 != argv[i + 1]) return false;
  return true;
}

long index_of(char** argv, const char* string) {
  long i = 0;
  while (argv[i] != string) i++;
  return i;
}

void set(const InitialStack& stack, uint64_t type, uint64_t value) {
  if (uint64_t* const at = stack.auxiliary(type)) *at = value;
}

}  // namespace

uint64_t* InitialStack::auxiliary(uint64_t type) const {
  for (size_t i = 0; i + 1 < auxv_count; i++)
    if (auxv[i].a_type == type) return &auxv[i].a_un.a_val;
  return nullptr;
}

InitialStack read_stack(uint64_t* words) {
  InitialStack stack;
  stack.words = words;
  stack.argc = static_cast<long>(words[0]);
  stack.argv = reinterpret_cast<char**>(words + 1);
  stack.envp = stack.argv + stack.argc + 1;
  char** after = stack.envp;
  while (*after != nullptr) after++;
  stack.auxv = reinterpret_cast<Elf64_auxv_t*>(after + 1);
  while (stack.auxv[stack.auxv_count++].a_type != AT_NULL) {
  }
  return stack;
}

Names arrange_names(const InitialStack& stack, const Options& options) {
  char* const end = options.file + length(options.file) + 1;
  Names names{options.file, options.argv0};
  if (options.has_offset) {  // "FILE@0x1000" becomes "…FILE", ending where it ended
    names.path = end - 1 - options.path_size;
    __builtin_memmove(names.path, options.file, options.path_size);
  }
  if (names.argv0 == nullptr) {
    names.argv0 = names.path;
  } else if (contiguous(stack.argv, index_of(stack.argv, options.argv0), options.index)) {
    const uint64_t size = length(names.argv0) + 1;
    rotate(names.argv0, names.argv0 + size, end);  // "NAME FILE" becomes "FILE NAME"
    names.path -= size;
    names.argv0 = end - size;
  }
  return names;
}

InitialStack rewrite_stack(const InitialStack& stack, const Options& options, const Names& names,
                           const ImageFacts& facts) {
  stack.argv[options.index] = names.argv0;
  set(stack, AT_PHDR, facts.phdr);
  set(stack, AT_PHNUM, facts.phnum);
  set(stack, AT_PHENT, sizeof(Elf64_Phdr));
  set(stack, AT_BASE, facts.base);
  set(stack, AT_ENTRY, facts.entry);
  set(stack, AT_EXECFN, reinterpret_cast<uint64_t>(names.path));

  // The stack pointer is a multiple of 16 at entry: it moves up by an even number of words.
  uint64_t* const words = stack.words + (options.index & ~1L);
  const uint64_t* const from = stack.words + 1 + options.index;
  const auto* const end = reinterpret_cast<const uint64_t*>(stack.auxv + stack.auxv_count);
  words[0] = static_cast<uint64_t>(stack.argc - options.index);
  if (words + 1 != from) __builtin_memmove(words + 1, from, static_cast<size_t>(end - from) * sizeof *from);
  return read_stack(words);
}

}  // namespace insitu
