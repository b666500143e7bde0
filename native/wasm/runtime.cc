#include "runtime.h"

#include <pthread.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include "../fault.h"
#include "../published.h"
#include "instance.h"

extern "C" uint64_t insitu_wasm_enter(insitu::wasm::Frame*, wasm_enter, wasm_code, void*, uint64_t*);
extern "C" [[noreturn]] void insitu_wasm_leave(insitu::wasm::Frame*, uint64_t);

namespace insitu::wasm {

thread_local Runtime* current_runtime = nullptr;

namespace {

constexpr uint64_t kMaxImages = 4096;
constexpr uint64_t kGuardedBytes = uint64_t{8} << 30;
/// What a call into JavaScript needs at least; below that, compiled code ran out of stack.
constexpr uint64_t kStackReserve = 256 << 10;
constexpr uint64_t kSignalStackBytes = 128 << 10;

struct PublishedImage {
  uint64_t begin, end;
  Image* image;
};
Published<PublishedImage, kMaxImages> images;

Instance& instance_of(wasm_instance* instance) { return *Instance::of(instance); }

_Unwind_Reason_Code add_frame(_Unwind_Context* context, void* argument) {
  Runtime& runtime = *static_cast<Runtime*>(argument);
  const uint64_t pc = _Unwind_GetIP(context);
  if (pc == 0 || runtime.trace_length == kMaxTraceFrames) return _URC_END_OF_STACK;
  // A return address is behind its call, which may be the last instruction of its function.
  if (image_of(pc - 1) != nullptr) runtime.trace[runtime.trace_length++] = pc - 1;
  return _URC_NO_REASON;
}

void remember_trace(Runtime& runtime) {
  runtime.trace_length = 0;
  _Unwind_Backtrace(add_frame, &runtime);
}

uint64_t trapped(uint32_t code) { return kTrapped | static_cast<uint64_t>(code) << 8; }

/// The innermost frame that JavaScript entered by.
Frame* entry_frame(Runtime& runtime) {
  Frame* frame = runtime.top;
  while (frame->catches) frame = frame->previous;
  return frame;
}

void on_trap(wasm_runtime* shared, uint32_t code) { trap(*Runtime::of(shared), code); }
void on_unwind(wasm_runtime* shared) { throw_on(*Runtime::of(shared)); }

void call_catching(wasm_runtime* shared, wasm_enter enter, wasm_code code, void* instance) {
  Runtime& runtime = *Runtime::of(shared);
  Frame frame;
  frame.previous = runtime.top;
  frame.catches = true;
  runtime.top = &frame;
  insitu_wasm_enter(&frame, enter, code, instance, shared->slots);
  runtime.top = frame.previous;
}

uint64_t* throw_tag(wasm_instance* instance, const wasm_tag* tag, uint32_t words) {
  Runtime& runtime = *Runtime::of(instance);
  wasm_exception* exception = new_exception(runtime, tag, words);
  runtime.shared.thrown = exception;
  return exception->payload;
}

void release(wasm_runtime* shared, wasm_exception* exception) {
  Runtime& runtime = *Runtime::of(shared);
  for (wasm_exception** at = &runtime.exceptions; *at != nullptr; at = &(*at)->next) {
    if (*at != exception) continue;
    *at = exception->next;
    free(exception);
    return;
  }
}

// ---- memories

uint64_t address_limit(const wasm_memory& memory) { return memory.size; }

bool inside(uint64_t at, uint64_t size, uint64_t limit) {
  uint64_t end;
  return !__builtin_add_overflow(at, size, &end) && end <= limit;
}

void memory_fill(wasm_instance* instance, uint32_t index, uint64_t at, uint32_t value, uint64_t size) {
  const wasm_memory& memory = instance_of(instance).memory(index);
  if (!inside(at, size, address_limit(memory))) trap(*Runtime::of(instance), WASM_TRAP_MEMORY);
  memset(memory.base + at, static_cast<int>(value & 0xff), size);
}

void memory_copy(wasm_instance* instance, uint32_t to, uint32_t from, uint64_t at, uint64_t source,
                 uint64_t size) {
  const Instance& in = instance_of(instance);
  const wasm_memory &target = in.memory(to), &origin = in.memory(from);
  if (!inside(at, size, target.size) || !inside(source, size, origin.size))
    trap(*Runtime::of(instance), WASM_TRAP_MEMORY);
  memmove(target.base + at, origin.base + source, size);
}

void memory_init(wasm_instance* instance, uint32_t memory, uint32_t segment, uint64_t at, uint32_t source,
                 uint32_t size) {
  instance_of(instance).memory_init(memory, segment, at, source, size);
}

void data_drop(wasm_instance* instance, uint32_t segment) { instance_of(instance).data_drop(segment); }

// ---- tables

bool holds_functions(const Instance& instance, uint32_t table) {
  const auto* tables = instance.image().list<Table>(instance.image().description().tables);
  return tables[table].element == 0x70;
}

void put(wasm_table& table, bool functions, uint64_t at, uint64_t count, const wasm_function* function,
         uint64_t reference) {
  for (uint64_t i = at; i < at + count; i++) {
    if (functions)
      table.functions[i] = *function;
    else
      table.references[i] = reference;
  }
}

void function_reference(wasm_instance* instance, uint32_t function, wasm_function* to) {
  *to = instance_of(instance).function_reference(static_cast<int32_t>(function));
}

uint64_t table_grow(wasm_instance* instance, uint32_t index, uint64_t count, const wasm_function* function,
                    uint64_t reference) {
  Instance& in = instance_of(instance);
  return grow_table(in.table(index), holds_functions(in, index), count, function, reference);
}

void table_fill(wasm_instance* instance, uint32_t index, uint64_t at, const wasm_function* function,
                uint64_t reference, uint64_t count) {
  Instance& in = instance_of(instance);
  wasm_table& table = in.table(index);
  if (!inside(at, count, table.size)) trap(in.runtime(), WASM_TRAP_TABLE_ACCESS);
  put(table, holds_functions(in, index), at, count, function, reference);
}

void table_copy(wasm_instance* instance, uint32_t to, uint32_t from, uint64_t at, uint64_t source,
                uint64_t count) {
  Instance& in = instance_of(instance);
  wasm_table &target = in.table(to), &origin = in.table(from);
  if (!inside(at, count, target.size) || !inside(source, count, origin.size))
    trap(in.runtime(), WASM_TRAP_TABLE_ACCESS);
  if (holds_functions(in, to))
    memmove(target.functions + at, origin.functions + source, count * sizeof(wasm_function));
  else
    memmove(target.references + at, origin.references + source, count * sizeof(uint64_t));
}

void table_init(wasm_instance* instance, uint32_t table, uint32_t segment, uint64_t at, uint32_t source,
                uint32_t count) {
  instance_of(instance).table_init(table, segment, at, source, count);
}

void element_drop(wasm_instance* instance, uint32_t segment) {
  instance_of(instance).dropped_element(segment) = 1;
}

// ---- stacks

/// The lowest address that this thread's stack may grow to.
uint64_t stack_low() {
  if (getpid() == gettid()) {
    // pthread_getattr_np would read /proc/self/maps for this thread.
    rlimit limit;
    getrlimit(RLIMIT_STACK, &limit);
    const uint64_t size = limit.rlim_cur == RLIM_INFINITY ? uint64_t{1} << 30 : limit.rlim_cur;
    // Arguments and environment stand above: the program's name is the last of them.
    const uint64_t top = page_up(getauxval(AT_EXECFN), page_size());
    return top - size;
  }
  pthread_attr_t attributes;
  void* low = nullptr;
  size_t size = 0;
  if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
    pthread_attr_getstack(&attributes, &low, &size);
    pthread_attr_destroy(&attributes);
  }
  return reinterpret_cast<uint64_t>(low);
}

/// A handler for running out of stack needs another one; Node gives its threads none.
void give_signal_stack() {
  stack_t now;
  if (sigaltstack(nullptr, &now) == 0 && !(now.ss_flags & SS_DISABLE)) return;
  void* memory = mmap(nullptr, kSignalStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  stack_t stack = {};
  stack.ss_sp = memory;
  stack.ss_size = kSignalStackBytes;
  sigaltstack(&stack, nullptr);
}

bool in_linear_memory(const Runtime& runtime, uint64_t address) {
  for (const wasm_memory* memory : runtime.memories) {
    const uint64_t base = reinterpret_cast<uint64_t>(memory->base);
    if (address >= base && address - base < kGuardedBytes) return true;
  }
  return false;
}

/// Where the handler goes on when it returns: in insitu_wasm_leave(frame, answer).
void go_on_at_leave(void* context, Frame* frame, uint64_t answer) {
  auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  machine.gregs[REG_RIP] = static_cast<greg_t>(reinterpret_cast<uint64_t>(&insitu_wasm_leave));
  machine.gregs[REG_RDI] = static_cast<greg_t>(reinterpret_cast<uint64_t>(frame));
  machine.gregs[REG_RSI] = static_cast<greg_t>(answer);
#else
  machine.pc = reinterpret_cast<uint64_t>(&insitu_wasm_leave);
  machine.regs[0] = reinterpret_cast<uint64_t>(frame);
  machine.regs[1] = answer;
#endif
}

}  // namespace

void set_up(Runtime& runtime) {
  wasm_runtime& shared = runtime.shared;
  shared.trap = on_trap;
  shared.call_catching = call_catching;
  shared.unwind = on_unwind;
  shared.throw_tag = throw_tag;
  shared.release = release;
  shared.memory_fill = memory_fill;
  shared.memory_copy = memory_copy;
  shared.memory_init = memory_init;
  shared.data_drop = data_drop;
  shared.function_reference = function_reference;
  shared.table_grow = table_grow;
  shared.table_fill = table_fill;
  shared.table_copy = table_copy;
  shared.table_init = table_init;
  shared.element_drop = element_drop;
  take_faults_first(take_fault);
  runtime.stack_low = stack_low();
  give_signal_stack();
}

uint64_t enter(Runtime& runtime, const Record& record) {
  Frame frame;
  if (reinterpret_cast<uint64_t>(&frame) < runtime.stack_low + kStackReserve) {
    runtime.trace_length = 0;
    return trapped(WASM_TRAP_STACK);
  }
  frame.previous = runtime.top;
  frame.catches = false;
  const bool was = runtime.in_compiled_code;
  runtime.top = &frame;
  runtime.in_compiled_code = true;
  runtime.depth++;
  const uint64_t status = insitu_wasm_enter(&frame, record.enter, record.function.code,
                                            record.function.instance, runtime.shared.slots);
  runtime.depth--;
  runtime.in_compiled_code = was;
  runtime.top = frame.previous;
  return status;
}

void trap(Runtime& runtime, uint32_t code) {
  remember_trace(runtime);
  Frame* frame = entry_frame(runtime);
  runtime.shared.thrown = nullptr;
  runtime.shared.tail.enter = nullptr;
  insitu_wasm_leave(frame, trapped(code));
}

void throw_on(Runtime& runtime) {
  runtime.shared.tail.enter = nullptr;
  insitu_wasm_leave(runtime.top, kThrew);
}

void throw_out(Runtime& runtime) {
  // It comes from a trap, whose trace goes on here.
  remember_trace(runtime);
  runtime.shared.tail.enter = nullptr;
  insitu_wasm_leave(entry_frame(runtime), kThrew);
}

wasm_exception* new_exception(Runtime& runtime, const wasm_tag* tag, uint32_t words) {
  auto* exception = static_cast<wasm_exception*>(malloc(sizeof(wasm_exception) + words * sizeof(uint64_t)));
  if (exception == nullptr) trap(runtime, WASM_TRAP_MEMORY);
  exception->tag = tag;
  exception->words = words;
  exception->flags = 0;
  exception->next = runtime.exceptions;
  runtime.exceptions = exception;
  return exception;
}

void release_exceptions(Runtime& runtime) {
  if (runtime.keeps_exceptions) return;
  while (runtime.exceptions != nullptr) {
    wasm_exception* next = runtime.exceptions->next;
    free(runtime.exceptions);
    runtime.exceptions = next;
  }
}

bool publish(Image* image) {
  const Mapping& mapping = image->library().mapping();
  const auto& elf = image->library().image();
  auto* item = new PublishedImage{mapping.bias + elf.lo, mapping.bias + elf.hi, image};
  return images.add(item);
}

Image* image_of(uint64_t pc) {
  const PublishedImage* item = images.find(pc);
  return item == nullptr ? nullptr : item->image;
}

bool take_fault(int signal, uint64_t address, uint64_t pc, void* context) {
  Runtime* runtime = current_runtime;
  if (signal != SIGSEGV || runtime == nullptr || !runtime->in_compiled_code || runtime->top == nullptr)
    return false;
#if defined(__x86_64__)
  const uint64_t sp = static_cast<uint64_t>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RSP]);
#else
  const uint64_t sp = static_cast<ucontext_t*>(context)->uc_mcontext.sp;
#endif
  // A worker's guard page is below its stack; the main thread's stack may have stopped above its limit.
  const bool ran_out = address < runtime->stack_low + kStackReserve &&
                       address + (1 << 20) > runtime->stack_low && sp < runtime->stack_low + kStackReserve;
  const Image* image = image_of(pc);
  if (!ran_out && (image == nullptr || !image->holds(pc) || !in_linear_memory(*runtime, address)))
    return false;
  remember_trace(*runtime);
  runtime->shared.thrown = nullptr;
  runtime->shared.tail.enter = nullptr;
  go_on_at_leave(context, entry_frame(*runtime), trapped(ran_out ? WASM_TRAP_STACK : WASM_TRAP_MEMORY));
  return true;
}

}  // namespace insitu::wasm
