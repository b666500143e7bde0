#include "elf.h"

#include "sys.h"

namespace insitu {
namespace {

constexpr uint64_t kHeaderSize = sizeof(Elf64_Ehdr);
constexpr uint64_t kEntrySize = sizeof(Elf64_Phdr);

const char* segment_type_name(uint32_t type) {
  switch (type) {
    case PT_LOAD:
      return "PT_LOAD";
    case PT_DYNAMIC:
      return "PT_DYNAMIC";
    case PT_INTERP:
      return "PT_INTERP";
    case PT_TLS:
      return "PT_TLS";
    case PT_GNU_RELRO:
      return "PT_GNU_RELRO";
    case PT_GNU_EH_FRAME:
      return "PT_GNU_EH_FRAME";
    default:
      return "program header";
  }
}

constexpr uint64_t kMaxAlignment = uint64_t{1} << 30;  // of which plan_image finds a place

bool is_power_of_two(uint64_t value) { return value != 0 && (value & (value - 1)) == 0; }

/// "PT_LOAD[2] at 0x78 " starts every message about a program header; `field` is the offset of the field in
/// it.
FailureText fail_segment(Failure& failure, const char* code, const Elf64_Phdr& ph, uint32_t index,
                         uint64_t header_offset, uint64_t field) {
  FailureText text = fail(failure, code, header_offset + field);
  text << segment_type_name(ph.p_type) << "[" << index << "] at " << Hex{header_offset} << " ";
  return text;
}

bool read_header(const Source& source, Elf64_Ehdr& eh, Failure& failure) {
  if (source.size == 0)
    return fail(failure, "ERR_TRUNCATED", 0) << "file is empty; want an ELF header of 64 bytes";
  if (source.size < kHeaderSize)
    return fail(failure, "ERR_TRUNCATED", source.size)
           << "file ends after " << source.size << " bytes; want an ELF header of " << kHeaderSize
           << " bytes";
  if (!source.read(0, &eh, sizeof eh))
    return fail(failure, "ERR_CHANGED", 0)
           << "ELF header could not be read; want " << kHeaderSize << " bytes";
  return true;
}

bool check_ident(const Elf64_Ehdr& eh, Failure& failure) {
  const unsigned char* id = eh.e_ident;
  if (id[0] != 0x7f || id[1] != 'E' || id[2] != 'L' || id[3] != 'F')
    return fail(failure, "ERR_FORMAT", 0) << "starts with bytes " << Hex{id[0]} << " " << Hex{id[1]} << " "
                                          << Hex{id[2]} << " " << Hex{id[3]} << "; want 0x7f 'E' 'L' 'F'";
  if (id[EI_CLASS] != ELFCLASS64)
    return fail(failure, "ERR_UNSUPPORTED", EI_CLASS)
           << "ELF class is " << uint32_t{id[EI_CLASS]} << (id[EI_CLASS] == ELFCLASS32 ? " (32-bit)" : "")
           << "; want 2 (64-bit)";
  if (id[EI_DATA] != ELFDATA2LSB)
    return fail(failure, "ERR_UNSUPPORTED", EI_DATA)
           << "ELF data encoding is " << uint32_t{id[EI_DATA]}
           << (id[EI_DATA] == ELFDATA2MSB ? " (big-endian)" : "") << "; want 1 (little-endian)";
  if (id[EI_VERSION] != EV_CURRENT || eh.e_version != EV_CURRENT)
    return fail(failure, "ERR_UNSUPPORTED", id[EI_VERSION] != EV_CURRENT ? EI_VERSION : 20)
           << "ELF version is " << uint32_t{id[EI_VERSION]} << "/" << eh.e_version << "; want 1";
  if (id[EI_OSABI] != ELFOSABI_NONE && id[EI_OSABI] != ELFOSABI_GNU)
    return fail(failure, "ERR_UNSUPPORTED", EI_OSABI)
           << "ELF OS ABI is " << uint32_t{id[EI_OSABI]} << "; want 0 (System V) or 3 (GNU/Linux)";
  return true;
}

bool check_header(const Elf64_Ehdr& eh, const Source& source, Failure& failure) {
  if (!check_ident(eh, failure)) return false;
  if (eh.e_type != ET_EXEC && eh.e_type != ET_DYN)
    return fail(failure, "ERR_UNSUPPORTED", 16)
           << "ELF type is " << uint32_t{eh.e_type} << "; want 2 (executable) or 3 (shared object)";
  if (eh.e_machine != kHostMachine)
    return fail(failure, "ERR_UNSUPPORTED", 18) << "ELF machine is " << uint32_t{eh.e_machine} << "; want "
                                                << uint32_t{kHostMachine} << " (this processor's)";
  if (eh.e_ehsize < kHeaderSize)
    return fail(failure, "ERR_HEADER", 52)
           << "e_ehsize is " << uint32_t{eh.e_ehsize} << "; want " << kHeaderSize;
  if (eh.e_phnum == 0) return fail(failure, "ERR_HEADER", 56) << "e_phnum is 0; want a program header";
  if (eh.e_phnum > kMaxProgramHeaders)
    return fail(failure, "ERR_HEADER", 56)
           << "e_phnum is " << uint32_t{eh.e_phnum} << "; want at most " << kMaxProgramHeaders;
  if (eh.e_phentsize != kEntrySize)
    return fail(failure, "ERR_HEADER", 54)
           << "e_phentsize is " << uint32_t{eh.e_phentsize} << "; want " << kEntrySize;
  const uint64_t table = eh.e_phnum * kEntrySize;
  if (eh.e_phoff < kHeaderSize || eh.e_phoff % 8 != 0)
    return fail(failure, "ERR_HEADER", 32)
           << "e_phoff is " << Hex{eh.e_phoff} << "; want a multiple of 8 behind the ELF header";
  if (eh.e_phoff > source.size || table > source.size - eh.e_phoff)
    return fail(failure, "ERR_TRUNCATED", eh.e_phoff) << "program headers at " << Hex{eh.e_phoff} << " need "
                                                      << table << " bytes; file has " << source.size;
  return true;
}

/// File range, sizes and address range of any program header that describes memory.
bool check_extent(const Elf64_Phdr& ph, uint32_t index, uint64_t at, const Source& source, Failure& failure) {
  if (ph.p_filesz > ph.p_memsz)
    return fail_segment(failure, "ERR_SEGMENT", ph, index, at, 32)
           << "has p_filesz " << Hex{ph.p_filesz} << "; want at most p_memsz " << Hex{ph.p_memsz};
  if (ph.p_vaddr >= kAddressLimit || ph.p_memsz > kAddressLimit - ph.p_vaddr)
    return fail_segment(failure, "ERR_SEGMENT", ph, index, at, 40)
           << "covers " << Hex{ph.p_vaddr} << " + " << Hex{ph.p_memsz} << "; want addresses below "
           << Hex{kAddressLimit};
  if (ph.p_offset > source.size || ph.p_filesz > source.size - ph.p_offset)
    return fail_segment(failure, "ERR_TRUNCATED", ph, index, at, 8)
           << "needs file bytes " << Hex{ph.p_offset} << " + " << Hex{ph.p_filesz} << "; file has "
           << Hex{source.size};
  return true;
}

bool add_load(const Elf64_Phdr& ph, uint32_t index, uint64_t at, uint64_t page, Image& image,
              Failure& failure) {
  if (image.segment_count == kMaxSegments)
    return fail_segment(failure, "ERR_HEADER", ph, index, at, 0)
           << "is one too many; want at most " << kMaxSegments;
  if ((ph.p_flags & PF_W) && (ph.p_flags & PF_X))
    return fail_segment(failure, "ERR_WX", ph, index, at, 4)
           << "is " << ((ph.p_flags & PF_R) ? "RWX" : "WX")
           << "; want no segment that is writable and executable";
  if (ph.p_align > 1 && !is_power_of_two(ph.p_align))
    return fail_segment(failure, "ERR_SEGMENT", ph, index, at, 48)
           << "has p_align " << Hex{ph.p_align} << "; want a power of two";
  if (ph.p_align > kMaxAlignment)
    return fail_segment(failure, "ERR_SEGMENT", ph, index, at, 48)
           << "has p_align " << Hex{ph.p_align} << "; want at most " << Hex{kMaxAlignment};
  if ((ph.p_vaddr - ph.p_offset) % page != 0 ||
      (ph.p_align > 1 && (ph.p_vaddr - ph.p_offset) % ph.p_align != 0))
    return fail_segment(failure, "ERR_SEGMENT", ph, index, at, 16)
           << "has p_vaddr " << Hex{ph.p_vaddr} << " and p_offset " << Hex{ph.p_offset}
           << "; want them equal modulo the page size and p_align " << Hex{ph.p_align};
  if (image.segment_count > 0) {
    const Segment& before = image.segments[image.segment_count - 1];
    if (ph.p_vaddr < before.vaddr)
      return fail_segment(failure, "ERR_SEGMENT", ph, index, at, 16)
             << "has p_vaddr " << Hex{ph.p_vaddr} << " after " << Hex{before.vaddr}
             << "; want ascending addresses";
    if (page_down(ph.p_vaddr, page) < page_up(before.end(), page))
      return fail_segment(failure, "ERR_SEGMENT", ph, index, at, 16)
             << "starts at " << Hex{ph.p_vaddr} << " on a page of PT_LOAD[" << before.index
             << "], which ends at " << Hex{before.end()} << "; want no overlap";
  }
  image.segments[image.segment_count++] =
      Segment{index, ph.p_flags, ph.p_offset, ph.p_filesz, ph.p_vaddr, ph.p_memsz, ph.p_align};
  if (ph.p_align > image.max_align) image.max_align = ph.p_align;
  return true;
}

bool add_interp(const Elf64_Phdr& ph, uint32_t index, uint64_t at, const Source& source, Image& image,
                Failure& failure) {
  if (image.has_interp) return true;  // of several the first counts, as for the kernel
  if (ph.p_filesz < 2 || ph.p_filesz > sizeof image.interp)
    return fail_segment(failure, "ERR_SEGMENT", ph, index, at, 32)
           << "is a path of " << ph.p_filesz << " bytes; want 2 to " << uint64_t{sizeof image.interp};
  if (!source.read(ph.p_offset, image.interp, ph.p_filesz))
    return fail_segment(failure, "ERR_CHANGED", ph, index, at, 8) << "could not be read";
  for (uint64_t i = 0; i + 1 < ph.p_filesz; i++)
    if (image.interp[i] == '\0')
      return fail_segment(failure, "ERR_SEGMENT", ph, index, at, 8)
             << "path ends after " << i << " bytes; want its NUL at " << ph.p_filesz - 1;
  if (image.interp[ph.p_filesz - 1] != '\0') {
    image.interp[ph.p_filesz - 1] = '\0';
    return fail_segment(failure, "ERR_SEGMENT", ph, index, at, 8)
           << "path is not terminated; want a NUL at its end";
  }
  image.has_interp = true;
  return true;
}

bool add_tls(const Elf64_Phdr& ph, uint32_t index, uint64_t at, Image& image, Failure& failure) {
  const uint64_t align = ph.p_align == 0 ? 1 : ph.p_align;
  if (!is_power_of_two(align) || align > 4096)
    return fail_segment(failure, "ERR_SEGMENT", ph, index, at, 48)
           << "has p_align " << Hex{align} << "; want a power of two up to 0x1000";
  if (ph.p_memsz > (uint64_t{1} << 30))
    return fail_segment(failure, "ERR_SEGMENT", ph, index, at, 40)
           << "has p_memsz " << Hex{ph.p_memsz} << "; want at most 0x40000000";
  image.tls = TlsTemplate{ph.p_vaddr, ph.p_filesz, ph.p_memsz, align};
  return true;
}

bool add_header(const Elf64_Phdr& ph, uint32_t index, uint64_t at, uint64_t page, const Source& source,
                Image& image, Failure& failure) {
  switch (ph.p_type) {
    case PT_LOAD:
      if (!check_extent(ph, index, at, source, failure)) return false;
      return ph.p_memsz == 0 || add_load(ph, index, at, page, image, failure);
    case PT_INTERP:
      return check_extent(ph, index, at, source, failure) &&
             add_interp(ph, index, at, source, image, failure);
    case PT_TLS:
      return check_extent(ph, index, at, source, failure) && add_tls(ph, index, at, image, failure);
    case PT_DYNAMIC:
      if (!check_extent(ph, index, at, source, failure)) return false;
      if (image.dynamic)
        return fail_segment(failure, "ERR_HEADER", ph, index, at, 0) << "is the second one; want one";
      image.dynamic = Range{ph.p_vaddr, ph.p_filesz};
      return true;
    case PT_GNU_RELRO:
      image.relro = Range{ph.p_vaddr, ph.p_memsz};
      return true;
    case PT_GNU_EH_FRAME:
      image.eh_frame_hdr = Range{ph.p_vaddr, ph.p_memsz};
      return true;
    case PT_GNU_STACK:
      image.executable_stack = (ph.p_flags & PF_X) != 0;
      return true;
    default:
      return true;
  }
}

/// What other headers describe must lie inside a PT_LOAD.
bool check_inner(const Image& image, uint64_t page, Failure& failure) {
  const uint64_t at = image.phoff;
  if (image.dynamic && image.dynamic.vaddr % 8 != 0)
    return fail(failure, "ERR_SEGMENT", at)
           << "PT_DYNAMIC is at " << Hex{image.dynamic.vaddr} << "; want a multiple of 8";
  if (image.dynamic && image.table_at(image.dynamic.vaddr, image.dynamic.size) == nullptr)
    return fail(failure, "ERR_SEGMENT", at)
           << "PT_DYNAMIC covers " << Hex{image.dynamic.vaddr} << " + " << Hex{image.dynamic.size}
           << "; want it inside a readable PT_LOAD's file bytes";
  if (image.eh_frame_hdr && image.table_at(image.eh_frame_hdr.vaddr, image.eh_frame_hdr.size) == nullptr)
    return fail(failure, "ERR_SEGMENT", at)
           << "PT_GNU_EH_FRAME covers " << Hex{image.eh_frame_hdr.vaddr} << " + "
           << Hex{image.eh_frame_hdr.size} << "; want it inside a PT_LOAD's file bytes";
  if (image.tls && image.tls.file_size != 0 &&
      image.stored_at(image.tls.vaddr, image.tls.file_size) == nullptr)
    return fail(failure, "ERR_SEGMENT", at)
           << "PT_TLS covers " << Hex{image.tls.vaddr} << " + " << Hex{image.tls.file_size}
           << "; want it inside a PT_LOAD's file bytes";
  if (image.relro) {
    const Segment* in = image.segment_at(image.relro.vaddr, 1);
    if (in == nullptr || !(in->flags & PF_W) || image.relro.size > kAddressLimit ||
        image.relro.vaddr + image.relro.size > page_up(in->end(), page))
      return fail(failure, "ERR_SEGMENT", at)
             << "PT_GNU_RELRO covers " << Hex{image.relro.vaddr} << " + " << Hex{image.relro.size}
             << "; want it inside a writable PT_LOAD";
  }
  return true;
}

void locate_program_headers(Image& image) {
  const uint64_t table = image.phnum * kEntrySize;
  for (uint32_t i = 0; i < image.segment_count; i++) {
    const Segment& s = image.segments[i];
    if (image.phoff >= s.offset && image.phoff + table <= s.offset + s.file_size)
      image.phdr_vaddr = image.phoff - s.offset + s.vaddr;
  }
}

}  // namespace

bool Source::read(uint64_t offset, void* to, uint64_t count) const {
  if (offset > size || count > size - offset) return false;
  if (view != nullptr) {
    __builtin_memcpy(to, view + offset, count);
    return true;
  }
  if (offset < head_size && count <= head_size - offset) {
    __builtin_memcpy(to, head + offset, count);
    return true;
  }
  uint64_t done = 0;
  while (done < count) {
    const long n = sys::pread(fd, static_cast<uint8_t*>(to) + done, count - done, start + offset + done);
    if (n == -4 /* EINTR */) continue;
    if (n <= 0) return false;
    done += static_cast<uint64_t>(n);
  }
  return true;
}

const Segment* Image::segment_at(uint64_t address, uint64_t size) const {
  for (uint32_t i = 0; i < segment_count; i++)
    if (segments[i].holds(address, size)) return &segments[i];
  return nullptr;
}

const Segment* Image::stored_at(uint64_t address, uint64_t size) const {
  for (uint32_t i = 0; i < segment_count; i++)
    if (segments[i].stores(address, size)) return &segments[i];
  return nullptr;
}

bool read_image(const Source& source, uint64_t page, Image& image, Failure& failure) {
  Elf64_Ehdr eh;
  if (!read_header(source, eh, failure) || !check_header(eh, source, failure)) return false;
  image.type = eh.e_type;
  image.machine = eh.e_machine;
  image.phnum = eh.e_phnum;
  image.phoff = eh.e_phoff;
  image.entry = eh.e_entry;

  Elf64_Phdr batch[16];  // a stack's worth at a time: insitu-exec has no heap
  for (uint32_t first = 0; first < eh.e_phnum; first += 16) {
    const uint32_t count = eh.e_phnum - first < 16 ? eh.e_phnum - first : 16;
    const uint64_t at = eh.e_phoff + first * kEntrySize;
    if (!source.read(at, batch, count * kEntrySize))
      return fail(failure, "ERR_CHANGED", at)
             << "program headers could not be read; want " << count << " entries";
    for (uint32_t i = 0; i < count; i++)
      if (!add_header(batch[i], first + i, at + i * kEntrySize, page, source, image, failure)) return false;
  }
  if (image.segment_count == 0)
    return fail(failure, "ERR_HEADER", eh.e_phoff) << "has no PT_LOAD segment; want at least one";
  image.lo = page_down(image.segments[0].vaddr, page);
  image.hi = page_up(image.segments[image.segment_count - 1].end(), page);
  locate_program_headers(image);
  return check_inner(image, page, failure);
}

}  // namespace insitu
