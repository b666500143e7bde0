#include "tracee.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace order {

void give_up(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("recorder: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(125);
}

namespace {

/// Tracer and traced take turns: on one processor a stop costs no wake-up of another.
void stay_on_one_processor() {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(sched_getcpu(), &set);
  sched_setaffinity(0, sizeof set, &set);
}

void check(long got, const char* what) {
  if (got == -1) give_up("%s: %s", what, strerror(errno));
}

}  // namespace

Tracee::Tracee(char** command) {
  stay_on_one_processor();
  pid_ = fork();
  check(pid_, "fork");
  if (pid_ == 0) {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    execvp(command[0], command);
    fprintf(stderr, "recorder: %s: %s\n", command[0], strerror(errno));
    _exit(127);
  }
  int status = 0;
  check(waitpid(pid_, &status, 0), "waitpid");
  if (!WIFSTOPPED(status)) exit(127);
  check(ptrace(PTRACE_SETOPTIONS, pid_, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL),
        "PTRACE_SETOPTIONS");
}

Stop Tracee::resume(__ptrace_request how) {
  const int signal = signal_;
  signal_ = 0;
  check(ptrace(how, pid_, nullptr, static_cast<long>(signal)), "resume");
  Stop stop;
  check(waitpid(pid_, &stop.status, __WALL), "waitpid");
  if (!WIFSTOPPED(stop.status)) {
    stop.why = Stop::Why::ended;
    return stop;
  }
  stop.signal = WSTOPSIG(stop.status);
  if (stop.signal == (SIGTRAP | 0x80)) {
    stop.why = Stop::Why::syscall;
  } else if (stop.signal != SIGTRAP) {
    stop.why = Stop::Why::signal;
    siginfo_t info = {};
    if (stop.signal == SIGSEGV && ptrace(PTRACE_GETSIGINFO, pid_, nullptr, &info) == 0 && info.si_code > 0)
      stop.address = reinterpret_cast<uint64_t>(info.si_addr);
  }
  return stop;
}

void Tracee::set_breakpoint(uint64_t address, bool enabled) {
  // DR7: bit 0 enables DR0 for this thread; its type and length of 0 are an instruction.
  const auto place = [](int number) { return offsetof(user, u_debugreg) + static_cast<size_t>(number) * 8; };
  if (enabled) check(ptrace(PTRACE_POKEUSER, pid_, place(0), address), "PTRACE_POKEUSER");
  check(ptrace(PTRACE_POKEUSER, pid_, place(7), enabled ? 1L : 0L), "PTRACE_POKEUSER");
}

Stop Tracee::run_to(uint64_t address) {
  set_breakpoint(address, true);
  const Stop stop = resume(PTRACE_CONT);
  if (stop.why != Stop::Why::ended) set_breakpoint(address, false);
  return stop;
}

user_regs_struct Tracee::registers() const {
  user_regs_struct regs;
  check(ptrace(PTRACE_GETREGS, pid_, nullptr, &regs), "PTRACE_GETREGS");
  return regs;
}

void Tracee::set_registers(const user_regs_struct& regs) {
  user_regs_struct copy = regs;
  check(ptrace(PTRACE_SETREGS, pid_, nullptr, &copy), "PTRACE_SETREGS");
}

size_t Tracee::read(uint64_t address, void* to, size_t size) const {
  const iovec local = {to, size};
  const iovec remote = {reinterpret_cast<void*>(address), size};
  const ssize_t got = process_vm_readv(pid_, &local, 1, &remote, 1, 0);
  return got < 0 ? 0 : static_cast<size_t>(got);
}

std::string Tracee::read_string(uint64_t address) const {
  char text[256] = {};
  read(address, text, sizeof text - 1);
  return text;
}

void Tracee::write_text(uint64_t address, const std::vector<uint8_t>& bytes) {
  const uint64_t first = address & ~uint64_t{7};
  for (uint64_t word = first; word < address + bytes.size(); word += 8) {
    errno = 0;
    long value = ptrace(PTRACE_PEEKTEXT, pid_, reinterpret_cast<void*>(word), nullptr);
    if (errno != 0) give_up("PTRACE_PEEKTEXT: %s", strerror(errno));
    auto* const at = reinterpret_cast<uint8_t*>(&value);
    for (unsigned i = 0; i < 8; i++)
      if (word + i >= address && word + i < address + bytes.size()) at[i] = bytes[word + i - address];
    check(ptrace(PTRACE_POKETEXT, pid_, reinterpret_cast<void*>(word), value), "PTRACE_POKETEXT");
  }
}

std::vector<Mapped> Tracee::mappings() const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/maps");
  std::vector<Mapped> all;
  for (std::string text; std::getline(file, text);) {
    Mapped line;
    char flags[5] = "";
    int path_at = 0;
    unsigned long begin = 0, end = 0, offset = 0, inode = 0;
    if (sscanf(text.c_str(), "%lx-%lx %4s %lx %x:%x %lu %n", &begin, &end, flags, &offset, &line.device_major,
               &line.device_minor, &inode, &path_at) < 7)
      give_up("unreadable line in maps: %s", text.c_str());
    line.begin = begin, line.end = end, line.offset = offset, line.inode = inode;
    line.readable = flags[0] == 'r', line.writable = flags[1] == 'w';
    line.executable = flags[2] == 'x', line.shared = flags[3] == 's';
    line.path = text.substr(static_cast<size_t>(path_at));
    all.push_back(line);
  }
  return all;
}

long Tracee::call(long number, uint64_t a, uint64_t b, uint64_t c) {
  const user_regs_struct before = registers();
  user_regs_struct regs = before;
  regs.rip = syscall_instruction_;
  regs.rax = static_cast<unsigned long long>(number);
  regs.orig_rax = static_cast<unsigned long long>(-1);  // or the kernel could restart the call it stopped in
  regs.rdi = a, regs.rsi = b, regs.rdx = c;
  int waiting = signal_;
  signal_ = 0;
  set_registers(regs);
  for (Stop stop = step(); stop.why != Stop::Why::step; stop = step()) {
    if (stop.why == Stop::Why::ended) give_up("the program ended in a call of the recorder's");
    if (stop.why == Stop::Why::signal) waiting = stop.signal;  // arrived between: after the call, then
  }
  const long result = static_cast<long>(registers().rax);
  set_registers(before);
  signal_ = waiting;
  return result;
}

}  // namespace order
