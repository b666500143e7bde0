// insitu-exec: starts an ELF program where it is stored, without a C library, so that the program finds the
// process as execve(2) would have left it. Open, read, plan, map, publish, enter; nothing of it is allocated.
#include <errno.h>

#include <new>

#include "exec/entry.h"
#include "exec/identity.h"
#include "exec/load.h"
#include "exec/options.h"
#include "exec/pages.h"
#include "exec/report.h"
#include "exec/stack.h"
#include "sys.h"

namespace insitu {
namespace {

#if defined(__x86_64__)
constexpr uint64_t kLargestPage = 4096;
#else
constexpr uint64_t kLargestPage = 65536;
#endif

/// In .bss and not on the stack, which a small RLIMIT_STACK could end. Whole pages of their own, whatever the
/// page size, because they are given back before the program starts.
struct alignas(kLargestPage) Room {
  alignas(Loading) char program[sizeof(Loading)];
  alignas(Loading) char interpreter[sizeof(Loading)];
  alignas(Failure) char failure[sizeof(Failure)];
};
Room room;

void load_program(const Wanted& wanted, Loading& program, Failure& failure) {
  program.name = keep_name(wanted.path);
  if (!load(wanted, program, failure)) {
    const bool missing = failure.system_error == ENOENT || failure.system_error == ENOTDIR;
    refuse(program.name, failure, missing && program.target.fd < 0 ? kNotFound : kRefused);
  }
  if (program.image.executable_stack) {
    fail(failure, "ERR_WX", program.image.phoff)
        << "PT_GNU_STACK wants an executable stack; want no memory that is writable and executable";
    refuse(program.name, failure);
  }
}

/// An interpreter's own PT_INTERP means nothing, as for the kernel.
void load_interpreter(const Wanted& wanted, const Loading& program, Loading& interpreter, Failure& failure) {
  interpreter.name = keep_name(wanted.path, program.name);
  if (!load(wanted, interpreter, failure)) refuse(interpreter.name, failure);
}

uint64_t address_of(const Loading& loading, uint64_t vaddr) {
  return reinterpret_cast<uint64_t>(loading.mapping.at(vaddr));
}

ImageFacts facts_of(const Loading& program, const Loading* interpreter) {
  ImageFacts facts;
  facts.phdr = program.image.phdr_vaddr == 0 ? 0 : address_of(program, program.image.phdr_vaddr);
  facts.phnum = program.image.phnum;
  facts.entry = address_of(program, program.image.entry);
  facts.base = interpreter != nullptr ? interpreter->mapping.bias : 0;
  return facts;
}

extern "C" __attribute__((visibility("hidden"), used)) void insitu_main(uint64_t* words) {
  const InitialStack kernels = read_stack(words);
  const Options options = parse_options(kernels.argc, kernels.argv);
  const uint64_t* const page_size = kernels.auxiliary(AT_PAGESZ);
  const uint64_t page = page_size != nullptr ? *page_size : 4096;
  watch_pages();

  const Names names = arrange_names(kernels, options);
  Failure& failure = *new (room.failure) Failure;
  Loading& program = *new (room.program) Loading;
  load_program(Wanted{names.path, options.offset, options.size, !options.has_offset, options.copy, page},
               program, failure);
  if (options.held >= 0) sys::close(options.held);
  Loading* interpreter = nullptr;
  if (program.image.has_interp) {
    interpreter = new (room.interpreter) Loading;
    load_interpreter(Wanted{program.image.interp, 0, 0, true, options.copy, page}, program, *interpreter,
                     failure);
  }
  if (!publish(program, failure)) refuse(program.name, failure);
  if (interpreter != nullptr && !publish(*interpreter, failure)) refuse(interpreter->name, failure);

  const ImageFacts facts = facts_of(program, interpreter);
  const InitialStack stack = rewrite_stack(kernels, options, names, facts);
  take_identity(program, stack, names, options.offset == 0);
  close_target(program.target);
  if (interpreter != nullptr) close_target(interpreter->target);
  keep_watch();
  const uint64_t start =
      interpreter != nullptr ? address_of(*interpreter, interpreter->image.entry) : facts.entry;
  sys::munmap(reinterpret_cast<uint64_t>(&room), page_up(sizeof room, page));
  enter(stack.words, start);
}

}  // namespace
}  // namespace insitu
