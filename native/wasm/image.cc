#include "image.h"

#include <elf.h>

#include <cstring>
#include <map>
#include <mutex>

#include "../checksum.h"
#include "cpu.h"

namespace insitu::wasm {
namespace {

#if defined(__x86_64__)
constexpr uint32_t kMachine = EM_X86_64;
#else
constexpr uint32_t kMachine = EM_AARCH64;
#endif
constexpr uint64_t kNoteHead = sizeof(Elf64_Nhdr) + 8;  // with the owner's name, padded

[[noreturn]] void refuse(uint64_t offset, const char* found, const char* wanted) {
  LoadFailure failure;
  fail(failure, "ERR_IMAGE", offset) << found << "; want " << wanted;
  throw failure;
}

/// Bytes of the file that are mapped read-only; null where they are not all there.
const uint8_t* mapped(const Library& library, uint64_t vaddr, uint64_t size) {
  return library.image().table_at(vaddr, size) == nullptr ? nullptr : library.mapping().at(vaddr);
}

struct Found {
  const uint8_t* note = nullptr;
  uint64_t vaddr = 0;
};

/// By the headers as mapped: the note that says it is ours.
Found find_note(const Library& library) {
  const auto* head = mapped(library, library.image().lo, sizeof(Elf64_Ehdr));
  if (head == nullptr) return {};
  Elf64_Ehdr header;
  memcpy(&header, head, sizeof header);
  for (uint32_t i = 0; i < header.e_phnum; i++) {
    const uint8_t* at =
        mapped(library, library.image().phdr_vaddr + i * sizeof(Elf64_Phdr), sizeof(Elf64_Phdr));
    if (at == nullptr) return {};
    Elf64_Phdr program;
    memcpy(&program, at, sizeof program);
    if (program.p_type != PT_NOTE || program.p_filesz < kNoteHead + sizeof(Note)) continue;
    const uint8_t* note = mapped(library, program.p_vaddr, kNoteHead + sizeof(Note));
    if (note != nullptr && memcmp(note + sizeof(Elf64_Nhdr), "insitu", 7) == 0)
      return {note, program.p_vaddr};
  }
  return {};
}

struct Located {
  Note note;
  uint64_t note_vaddr;
  uint64_t vaddr;
  const uint8_t* description;
};

Located locate(const Library& library) {
  const Found found = find_note(library);
  if (found.note == nullptr) refuse(0, "is no image of a WebAssembly module", "one that insitu install made");
  Located located;
  memcpy(&located.note, found.note + kNoteHead, sizeof(Note));
  if (located.note.format != kFormat)
    refuse(0, "is an image of another format",
           "one of this version's (insitu verify --repair makes it anew)");
  located.note_vaddr = found.vaddr;
  located.vaddr =
      found.vaddr + kNoteHead + offsetof(Note, description) + static_cast<int64_t>(located.note.description);
  located.description =
      located.note.size < sizeof(Description) ? nullptr : mapped(library, located.vaddr, located.note.size);
  if (located.description == nullptr || located.vaddr % 8 != 0)
    refuse(0, "is damaged: its note leads out of it", "an image as it was installed");
  return located;
}

/// In the order that loader/compile/seal.ts has, too.
uint32_t checksum_of(const Library& library, const Located& located) {
  const auto& elf = library.image();
  const uint64_t headers = sizeof(Elf64_Ehdr);
  const uint8_t* head = mapped(library, elf.lo, headers);
  Elf64_Ehdr header;
  memcpy(&header, head, sizeof header);
  const uint64_t table = header.e_phnum * sizeof(Elf64_Phdr);
  const uint8_t* programs = mapped(library, elf.phdr_vaddr, table);
  const uint8_t* dynamic =
      elf.dynamic.size == 0 ? nullptr : mapped(library, elf.dynamic.vaddr, elf.dynamic.size);
  if (programs == nullptr || dynamic == nullptr) return ~located.note.checksum;
  Note note = located.note;
  note.checksum = 0;
  const uint32_t parts[] = {crc32c(head, headers), crc32c(programs, table), crc32c(dynamic, elf.dynamic.size),
                            crc32c(&note, sizeof note), crc32c(located.description, note.size)};
  return crc32c(parts, sizeof parts);
}

void check_target(const Description& description) {
  if (memcmp(description.magic, kMagic, sizeof kMagic) != 0 || description.format != kFormat)
    refuse(0, "is an image of another format",
           "one of this version's (insitu verify --repair makes it anew)");
  if (description.machine != kMachine) refuse(0, "is for another machine", "one for this machine");
  const char* missing = missing_feature(description.features);
  if (missing != nullptr) {
    LoadFailure failure;
    fail(failure, "ERR_CPU", 0) << "was compiled for a CPU with " << missing
                                << "; want one for this CPU (insitu install)";
    throw failure;
  }
}

}  // namespace

void check_image(const Library& library) {
  const Located located = locate(library);
  if (checksum_of(library, located) != located.note.checksum)
    refuse(0, "is damaged: its checksum does not hold",
           "an image as it was installed (insitu verify --repair)");
  check_target(*reinterpret_cast<const Description*>(located.description));
}

Image::Image(const Library& library) : library_(library) {
  base_ = locate(library).description;
  description_ = reinterpret_cast<const Description*>(base_);
}

uint64_t Image::key_of(uint32_t index) const {
  const Type& t = type(index);
  return t.key != 0 ? t.key : long_type_key(at(t.codes), t.params, t.results);
}

uint64_t Image::file_offset(const uint8_t* address) const {
  const uint64_t vaddr = reinterpret_cast<uint64_t>(address) - library_.mapping().bias;
  const Segment* segment = library_.image().segment_at(vaddr, 1);
  return segment == nullptr ? 0 : vaddr - segment->vaddr + segment->offset;
}

bool Image::holds(uint64_t address) const {
  const Mapping& mapping = library_.mapping();
  const Segment* segment = library_.image().segment_at(address - mapping.bias, 1);
  return segment != nullptr && (segment->flags & PF_X);
}

std::optional<uint32_t> Image::function_at(uint64_t address) const {
  const List& starts = description_->starts;
  const auto* all = list<Start>(starts);
  const Start* best = nullptr;
  const int64_t place = static_cast<int64_t>(address - reinterpret_cast<uint64_t>(base_));
  for (uint32_t i = 0; i < starts.count; i++)
    if (all[i].code <= place && (best == nullptr || all[i].code > best->code)) best = &all[i];
  if (best == nullptr || best->function == ~uint32_t{0}) return std::nullopt;
  return best->function;
}

std::string Image::function_name(uint32_t index) const {
  const List& names = description_->function_names;
  const char* text = list<char>(names);
  const char* const end = text + names.count;
  for (uint32_t i = 0; text < end; i++) {
    if (i == index) return text;
    text += strlen(text) + 1;
  }
  return {};
}

uint64_t long_type_key(const uint8_t* codes, uint32_t params, uint32_t results) {
  static std::mutex mutex;
  static std::map<std::string, uint64_t> keys;
  std::string name(reinterpret_cast<const char*>(codes), params + results);
  name += '/' + std::to_string(params);
  const std::lock_guard lock(mutex);
  return keys.emplace(name, (uint64_t{1} << 63) + keys.size()).first->second;
}

}  // namespace insitu::wasm
