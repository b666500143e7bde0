#include "recorder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "system_call.h"

namespace order {
namespace {

constexpr uint64_t kReach =
    4096;  // no instruction stores further from the address it faults at (xsave: 2.7 KiB)

double now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

int exit_status(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

bool is_end_of_call(const Tracee& tracee) {
  __ptrace_syscall_info info = {};
  if (ptrace(static_cast<__ptrace_request>(PTRACE_GET_SYSCALL_INFO), tracee.pid(), sizeof info, &info) < 0)
    give_up("PTRACE_GET_SYSCALL_INFO: %s", strerror(errno));
  return info.op == PTRACE_SYSCALL_INFO_EXIT;
}

}  // namespace

Recorder::Recorder(const Options& options)
    : options_(options),
      region_(options.region, options.length),
      trace_(options.trace),
      tracee_(options.command) {}

int Recorder::run() {
  wait_for_begin();
  while (!status_ && !finished_)
    if (must_step())
      single_step();
    else
      run_freely();
  if (!finished_) give_up("the program ended (%d) before the end marker", *status_);
  int status = 0;
  if (waitpid(tracee_.pid(), &status, 0) < 0) give_up("waitpid: %s", strerror(errno));
  return exit_status(status);
}

void Recorder::wait_for_begin() {
  for (;;) {
    const Stop stop = tracee_.run_to_syscall();
    if (stop.why == Stop::Why::ended)
      give_up("the program ended (%d) before the begin marker", exit_status(stop.status));
    if (stop.why == Stop::Why::signal) tracee_.deliver(stop.signal);
    if (stop.why != Stop::Why::syscall) continue;
    const user_regs_struct regs = tracee_.registers();
    if (!is_end_of_call(tracee_)) {
      grant_sync(regs, static_cast<long>(regs.orig_rax));
      continue;
    }
    give_flags_back();
    if (probed_path(tracee_, static_cast<long>(regs.orig_rax), regs) == std::string(kMarker) + "begin")
      return begin(regs);
  }
}

void Recorder::begin(const user_regs_struct& regs) {
  tracee_.set_syscall_instruction(regs.rip - 2);
  began_ = now();
  region_.save_image((std::string(options_.trace) + ".image").c_str());
  region_.find_mappings(tracee_, 0, ~uint64_t{0});
  if (!options_.every) region_.set_writable(tracee_, false);
}

void Recorder::finish() {
  if (!region_.is_writable()) region_.set_writable(tracee_, true);
  trace_.end(steps_, now() - began_);
  finished_ = true;
  if (ptrace(PTRACE_DETACH, tracee_.pid(), nullptr, nullptr) != 0)
    give_up("PTRACE_DETACH: %s", strerror(errno));
}

Instruction Recorder::next_instruction(const user_regs_struct& regs) {
  const uint64_t page = regs.rip & ~uint64_t{4095}, within = regs.rip - page;
  uint8_t code[15];
  if (within + sizeof code > 4096 || !is_file_text(regs.rip))
    return decode(code, tracee_.read(regs.rip, code, sizeof code), regs);
  std::vector<uint8_t>& bytes = text_pages_[page];
  if (bytes.empty()) {
    bytes.resize(4096);
    if (tracee_.read(page, bytes.data(), bytes.size()) != bytes.size()) give_up("text can't be read");
  }
  return decode(&bytes[within], sizeof code, regs);
}

void Recorder::run_freely() {
  const Stop stop = tracee_.run_to_syscall();
  uint64_t offset = 0;
  if (stop.why == Stop::Why::ended) {
    status_ = exit_status(stop.status);
  } else if (stop.why == Stop::Why::signal) {
    if (stop.address != 0 && !region_.is_writable() && region_.offset_of(stop.address, offset))
      store_step(next_instruction(tracee_.registers()), stop.address);
    else
      tracee_.deliver(stop.signal);
  } else if (is_end_of_call(tracee_)) {
    give_flags_back();
    const user_regs_struct regs = tracee_.registers();
    system_call_done(static_cast<long>(regs.orig_rax), regs, static_cast<long>(regs.rax));
  } else {
    const user_regs_struct regs = tracee_.registers();
    grant_sync(regs, static_cast<long>(regs.orig_rax));
    if (stores_into(region_, regs, static_cast<long>(regs.orig_rax))) postpone_system_call();
  }
}

/// A call that is to store into the region has begun: undone, so that the single step finds it as its next
/// instruction.
void Recorder::postpone_system_call() {
  user_regs_struct regs = tracee_.registers();
  user_regs_struct nothing = regs;
  nothing.orig_rax = static_cast<unsigned long long>(-1);
  tracee_.set_registers(nothing);
  if (tracee_.run_to_syscall().why != Stop::Why::syscall) give_up("a system call could not be postponed");
  regs.rax = regs.orig_rax;
  regs.rip -= 2;
  tracee_.set_registers(regs);
  step_next_ = true;
}

void Recorder::single_step() {
  step_next_ = false;
  if (++steps_ > options_.max_steps) give_up("more than %llu steps", (unsigned long long)options_.max_steps);
  const user_regs_struct regs = tracee_.registers();
  const Instruction instruction = next_instruction(regs);
  if (instruction.kind == Kind::syscall) return step_system_call(regs);
  if (remove(instruction, regs) || was_removed(regs)) return;
  // A megabyte of rep stos is as many steps; it traps where it comes to the region, and is stepped there.
  const Stop stop = instruction.repeated && !options_.every ? tracee_.run_to(regs.rip + instruction.length)
                                                            : tracee_.step();
  uint64_t offset = 0;
  if (stop.why == Stop::Why::ended) {
    status_ = exit_status(stop.status);
  } else if (stop.why != Stop::Why::signal) {
    step_done(instruction, regs);
  } else if (stop.address != 0 && !region_.is_writable() && region_.offset_of(stop.address, offset)) {
    store_step(instruction, stop.address);
  } else {
    tracee_.deliver(stop.signal);
  }
}

void Recorder::step_system_call(const user_regs_struct& regs) {
  const bool opened = stores_into(region_, regs, static_cast<long>(regs.rax)) && !region_.is_writable();
  if (opened) region_.set_writable(tracee_, true);
  grant_sync(regs, static_cast<long>(regs.rax));
  Stop stop = tracee_.step();
  while (stop.why == Stop::Why::signal) {
    tracee_.deliver(stop.signal);
    stop = tracee_.step();
  }
  if (stop.why == Stop::Why::ended) {
    status_ = exit_status(stop.status);
    return;
  }
  give_flags_back();
  // A call that is to be restarted after a signal has its number in rax again, and is stepped anew.
  const user_regs_struct after = tracee_.registers();
  if (after.rip == regs.rip + 2)
    system_call_done(static_cast<long>(regs.rax), regs, static_cast<long>(after.rax));
  if (opened && !finished_) region_.set_writable(tracee_, false);
}

/// MAP_SYNC is taken out of a mapping of the region, so that it succeeds and the program writes cache lines
/// back.
void Recorder::grant_sync(const user_regs_struct& regs, long number) {
  constexpr unsigned long long kMapSync = 0x80000;
  if (!options_.grant_sync || number != SYS_mmap || !(regs.r10 & kMapSync)) return;
  if (!region_.is_descriptor(tracee_, static_cast<int>(regs.r8))) return;
  asked_flags_ = regs.r10;
  user_regs_struct changed = regs;
  changed.r10 &= ~kMapSync;
  tracee_.set_registers(changed);
}

/// A system call leaves its arguments as they are.
void Recorder::give_flags_back() {
  if (!asked_flags_) return;
  user_regs_struct regs = tracee_.registers();
  regs.r10 = *asked_flags_;
  tracee_.set_registers(regs);
  asked_flags_.reset();
}

/// The thread has trapped at a store: once more, with the region writable.
void Recorder::store_step(const Instruction& instruction, uint64_t address) {
  region_.set_writable(tracee_, true);
  for (;;) {
    const user_regs_struct regs = tracee_.registers();
    const uint64_t at = instruction.repeated ? regs.rdi : address;
    const Stop stop = tracee_.step();
    steps_++;
    if (stop.why == Stop::Why::ended) {
      status_ = exit_status(stop.status);
      return;
    }
    if (stop.why == Stop::Why::signal) {
      tracee_.deliver(stop.signal);
      break;  // before the instruction: it traps again when the signal has been dealt with
    }
    const char* const kind = instruction.kind == Kind::nontemporal ? "nontemporal" : "store";
    record_changes(region_.changes_near(tracee_, at, instruction.repeated ? kLine : kReach), kind, regs);
    if (instruction.kind == Kind::locked && pending_.any()) trace_.fence("locked", where(regs.rip));
    if (!instruction.repeated || tracee_.registers().rip != regs.rip) break;
  }
  region_.set_writable(tracee_, false);
}

}  // namespace order
