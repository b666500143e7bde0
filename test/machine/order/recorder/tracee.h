// The traced program: its main thread under ptrace(2). Other threads of it run untraced.
#pragma once
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/user.h>

#include <cstdint>
#include <string>
#include <vector>

namespace order {

/// Ends the recorder with a message; the traced program ends with it.
[[noreturn]] void give_up(const char* format, ...) __attribute__((format(printf, 1, 2)));

/// A line of /proc/PID/maps.
struct Mapped {
  uint64_t begin = 0, end = 0, offset = 0;
  bool readable = false, writable = false, executable = false, shared = false;
  uint64_t inode = 0;
  unsigned device_major = 0, device_minor = 0;
  std::string path;
};

/// Why the thread has stopped.
struct Stop {
  enum class Why { step, syscall, signal, ended } why = Why::step;
  int signal = 0;        // what it was stopped by
  uint64_t address = 0;  // of the access, where the signal is SIGSEGV
  int status = 0;        // as waitpid gives it, where the program has ended
};

class Tracee {
 public:
  /// Starts `command`, stopped before its first instruction. It ends when the recorder does.
  explicit Tracee(char** command);

  Stop step() { return resume(PTRACE_SINGLESTEP); }         // one instruction
  Stop run_to_syscall() { return resume(PTRACE_SYSCALL); }  // to the next begin or end of a system call
  Stop run_to(uint64_t address);                            // of an instruction; by a debug register
  /// The signal that the next resumption delivers.
  void deliver(int signal) { signal_ = signal; }

  user_regs_struct registers() const;
  void set_registers(const user_regs_struct& regs);
  size_t read(uint64_t address, void* to, size_t size) const;
  std::string read_string(uint64_t address) const;
  void write_text(uint64_t address, const std::vector<uint8_t>& bytes);
  std::vector<Mapped> mappings() const;
  /// Has the thread make a system call of ours, between two instructions of its own.
  long call(long number, uint64_t a, uint64_t b, uint64_t c);
  /// Where a system call instruction is that `call` may use.
  void set_syscall_instruction(uint64_t address) { syscall_instruction_ = address; }
  pid_t pid() const { return pid_; }

 private:
  Stop resume(__ptrace_request how);
  void set_breakpoint(uint64_t address, bool enabled);
  pid_t pid_ = -1;
  int signal_ = 0;
  uint64_t syscall_instruction_ = 0;
};

}  // namespace order
