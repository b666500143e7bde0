// What compiled code runs in: one for each thread that runs JavaScript (abi.h: struct wasm_runtime), its
// frames, and the way out of them.
#pragma once
#include <cstdint>
#include <vector>

#include "abi.h"
#include "image.h"

namespace insitu::wasm {

/// Words of runtime->slots: as many as 1000 parameters or results take.
constexpr uint32_t kSlotWords = 16384;
// The last ones are for the boundary with JavaScript (runtime/wasm/boundary.ts has the same places).
constexpr uint32_t kStatusSlot = 16382;  // of a call: one of Status, then what that needs
constexpr uint32_t kRecordSlot = 16383;  // which function is called: address of a Record, as a double

enum Status : uint64_t { kReturned = 0, kThrew = 1, kTrapped = 2 };

/// insitu_wasm_enter's, in assembly; then what we know of it.
struct Frame {
  uint64_t registers[20];
  Frame* previous;
  bool catches;  // comes back for exceptions of compiled code, not for traps
};

/// A function as JavaScript calls it.
struct Record {
  wasm_function function;
  wasm_enter enter;
};

/// A function of JavaScript as compiled code calls it: stands where an instance does, and has no image.
struct Host {
  wasm_host head;
  const void* image = nullptr;
  uint8_t* owner = nullptr;   // the instance that imports it
  uint32_t index = 0;         // among its imported functions
  void* reference = nullptr;  // napi_ref, weak, since the first call: the owner keeps the function
  // The accelerator's (native/v8), since the first call.
  void* direct = nullptr;
  void (*drop_direct)(void*) = nullptr;
};

constexpr uint32_t kMaxTraceFrames = 64;

struct Runtime {
  wasm_runtime shared = {};
  Frame* top = nullptr;
  bool in_compiled_code = false;       // and not in JavaScript called from it
  uint32_t depth = 0;                  // of entries from JavaScript
  uint64_t stack_low = 0;              // nothing may be pushed below
  void* env = nullptr;                 // napi_env
  std::vector<wasm_memory*> memories;  // changed by this thread only, and never while its compiled code runs
  wasm_exception* exceptions = nullptr;  // all that are alive
  wasm_tag script_tag = {};              // of what JavaScript throws
  bool keeps_exceptions = false;         // some table or global may hold one
  uint64_t trace[kMaxTraceFrames] = {};  // program counters of the last trap
  uint32_t trace_length = 0;

  static Runtime* of(wasm_runtime* shared) { return reinterpret_cast<Runtime*>(shared); }
  static Runtime* of(const wasm_instance* instance) { return of(instance->runtime); }
};

/// This thread's, or null.
extern thread_local Runtime* current_runtime;

/// Fills what compiled code calls; the callbacks into JavaScript are the caller's.
void set_up(Runtime& runtime);

/// Calls a record's function with runtime.shared.slots; answers Status, and for a trap its number behind it.
uint64_t enter(Runtime& runtime, const Record& record);

[[noreturn]] void trap(Runtime& runtime, uint32_t code);
/// Unwinds with shared.thrown.
[[noreturn]] void throw_on(Runtime& runtime);
/// The same, past everything in compiled code that would catch it.
[[noreturn]] void throw_out(Runtime& runtime);
wasm_exception* new_exception(Runtime& runtime, const wasm_tag* tag, uint32_t words);
/// Of a runtime that is in no call: all exceptions that no table or global may hold.
void release_exceptions(Runtime& runtime);

/// From the signal handler: whether a fault was one of compiled code's own, which goes on elsewhere then.
bool take_fault(int signal, uint64_t address, uint64_t pc, void* context);

/// Images that are mapped, for the signal handler and for traces.
bool publish(Image* image);
Image* image_of(uint64_t pc);

}  // namespace insitu::wasm
