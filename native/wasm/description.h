// The binary description of a compiled module: read where it is mapped, nothing is decoded or copied at load.
// loader/compile/describe.ts writes it. All places are byte offsets from its begin, and none has to be
// relocated.
//
// A note (PT_NOTE, owner "insitu") leads to it and holds checksums of it and of the ELF headers; what lies
// behind `size` (names of functions, data) is read when it is needed and not before.
#pragma once
#include <cstdint>

namespace insitu::wasm {

constexpr char kMagic[8] = {'i', 'n', 's', 'i', 't', 'u', 'w', 'a'};
constexpr uint32_t kFormat = 4;
constexpr uint32_t kNoteType = 1;

/// The note's descriptor.
struct Note {
  uint32_t format;
  int32_t description;  // bytes from this field
  uint32_t size;        // of the description
  uint32_t checksum;    // CRC-32C of: ELF header, program headers, dynamic section, this note with 0 here,
                        // description
};

struct List {
  uint32_t at;
  uint32_t count;
};

enum DescriptionFlags : uint32_t { kHasExceptions = 1 };

struct Description {
  char magic[8];
  uint32_t format;
  uint32_t machine;   // e_machine
  uint32_t features;  // of the CPU that it was compiled for (cpu.h)
  uint32_t tier;      // 1 quick, 2 best
  uint8_t source_sha256[32];
  uint64_t source_size;
  uint32_t size;
  uint32_t flags;
  // In an instance, bytes.
  uint32_t instance_size, memories_at, bases_at, functions_at, tags_at, own_tags_at, keys_at, dropped_at;
  // How many of each are imported.
  uint32_t imported_functions, imported_tables, imported_memories, imported_globals, imported_tags, tag_count;
  uint32_t start;  // index in refs + 1, or ~(imported function), 0: none
  uint32_t reserved;
  List types, refs, tables, memories, globals, elements, data, runs, keys, shape, names, patches, starts,
      function_names;
};

/// A function type, and the thunks of it; 0 where the module needs none.
struct Type {
  uint64_t key;  // 0: too long for one; it has its place in keys
  int32_t enter, leave;
  uint32_t params, results;
  uint32_t codes;  // bytes: value types, parameters first
  uint32_t reserved;
};

/// A function that pointers lead to.
struct Ref {
  int32_t code, tail;
  uint32_t type;
  uint32_t function;  // index in the module
};

struct Expression {
  uint32_t at, size;
};

struct Table {
  uint32_t at;  // in an instance
  uint32_t element;
  uint64_t min, max;  // max: ~0 where there is none
  Expression init;    // size 0: null
};

enum MemoryFlags : uint32_t { kShared = 1, k64 = 2, kHasMax = 4 };

struct Memory {
  uint32_t flags, reserved;
  uint64_t min, max;  // pages
};

struct Global {
  uint32_t at;  // in an instance
  uint8_t type, mutability, pointer, reserved;
  Expression init;  // size 0: imported
};

enum class Mode : uint32_t { active = 0, passive = 1, declarative = 2 };

struct Element {
  Mode mode;
  uint32_t type;
  uint32_t table;
  uint32_t items, count;  // int32_t each: index in refs, or ~(imported function); or Expression each
  uint32_t has_expressions;
  Expression offset;
};

struct Data {
  Mode mode;
  uint32_t memory;
  uint32_t size;
  int32_t bytes;  // behind the description
  Expression offset;
  uint32_t index;  // in the module: those in the memory image are left out
  uint32_t reserved;
};

/// Where a piece of code begins, and of which function it is; ~0 for thunks.
struct Start {
  int32_t code;
  uint32_t function;
};

/// What segments write of a run.
struct Patch {
  uint32_t run;
  uint32_t size;
  uint64_t at;  // in the memory
};

/// Whole pages of the file that are a memory's first content, mapped copy-on-write.
struct Run {
  uint32_t memory;
  int32_t bytes;  // behind the description, page-aligned in the file
  uint64_t at;    // in the memory, page-aligned
  uint64_t size;  // a multiple of a page
};

}  // namespace insitu::wasm
