// Records what a running program does to a region, in program order: stores, write-backs, fences, and the
// system calls that make a range durable.
//
// Nothing is instrumented, and nothing is left to a decoder that could be wrong about what an instruction
// stores: the program's mappings of the region are kept read-only, each store is trapped, let through by a
// single step, and read off the region itself. From a store on, until every line stored to has been written
// back and fenced, the thread is single-stepped, because write-backs and fences trap nowhere. In between, the
// program runs at full speed: while no store is pending, a write-back or a fence changes no state that a
// crash can leave.
//
// At each mark, and whenever a range becomes durable, the whole region is compared with what was recorded; a
// store that was missed (by another thread, through the kernel) ends the recording with an error.
#pragma once
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "instruction.h"
#include "region.h"
#include "trace.h"
#include "tracee.h"

namespace order {

struct Options {
  const char* region = nullptr;
  /// Of the region, from its start; 0 is all of a file.
  uint64_t length = 0;
  /// Output. The region's bytes before the first event go to TRACE.image.
  const char* trace = nullptr;
  /// Single-step all of it and compare the region after each step: slow, to check the recorder with.
  bool every = false;
  /// MAP_SYNC is taken out of what the program asks for: on media without it, it writes lines back all the
  /// same.
  bool grant_sync = false;
  /// Instructions of this kind become no-ops in the program's text when they are reached.
  std::optional<Kind> removed;
  uint64_t max_steps = 50'000'000;
  char** command = nullptr;
};

/// A path that starts so, asked for with access(2), is a word of the program to the recorder.
constexpr char kMarker[] = "/insitu-record-";

class Recorder {
 public:
  explicit Recorder(const Options& options);
  /// Until the program ends. @returns its exit status
  int run();

 private:
  void wait_for_begin();
  void begin(const user_regs_struct& regs);
  void finish();
  void run_freely();
  void single_step();
  void step_system_call(const user_regs_struct& regs);
  void postpone_system_call();
  void grant_sync(const user_regs_struct& regs, long number);
  void give_flags_back();
  void store_step(const Instruction& instruction, uint64_t address);
  void step_done(const Instruction& instruction, const user_regs_struct& regs);
  void system_call_done(long number, const user_regs_struct& regs, long result);
  void mark(const std::string& path);
  void made_durable(uint64_t at, uint64_t size, const char* by);
  void record_changes(const std::vector<Change>& changes, const char* kind, const user_regs_struct& regs);
  void nothing_missed();
  bool remove(const Instruction& instruction, const user_regs_struct& regs);
  bool must_step() const { return options_.every || step_next_ || pending_.any(); }
  bool was_removed(const user_regs_struct& regs);
  Instruction next_instruction(const user_regs_struct& regs);
  const Mapped* text_at(uint64_t address);
  bool is_file_text(uint64_t address);
  std::string where(uint64_t address);

  Options options_;
  Region region_;
  Trace trace_;
  Tracee tracee_;
  PendingLines pending_;
  std::vector<Mapped> text_;
  std::unordered_map<uint64_t, std::vector<uint8_t>>
      text_pages_;  // of files: nobody but the recorder changes them
  std::unordered_map<uint64_t, std::vector<uint8_t>> removed_;  // the bytes that were there, by address
  bool finished_ = false, step_next_ = false;
  std::optional<unsigned long long> asked_flags_;  // of an mmap that was granted
  uint64_t steps_ = 0;
  double began_ = 0;
  std::optional<int> status_;
};

}  // namespace order
