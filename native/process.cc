#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "library.h"

namespace insitu {
namespace {

[[noreturn]] void refuse(int error, const char* call, const std::string& text) {
  LoadFailure failure;
  fail_system(failure, call, -error) << text.c_str();
  throw failure;
}

std::vector<char*> pointers_to(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& s : strings) pointers.push_back(const_cast<char*>(s.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

uint64_t now_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

/// Bytes that are no UTF-8 are U+FFFD once Node has handed them on; the kernel still has this process's
/// arguments as they were, and a program's are the last of them.
std::vector<std::string> with_original_bytes(std::vector<std::string> arguments) {
  std::vector<std::string> own;
  FILE* file = fopen("/proc/self/cmdline", "re");
  if (file == nullptr) return arguments;
  char* text = nullptr;
  size_t capacity = 0;
  for (ssize_t size; (size = getdelim(&text, &capacity, 0, file)) > 0;)
    own.emplace_back(text, static_cast<size_t>(text[size - 1] == 0 ? size - 1 : size));
  free(text);
  fclose(file);
  for (size_t i = 1; i < arguments.size() && i <= own.size(); i++) {
    std::string& argument = arguments[arguments.size() - i];
    if (argument.find("\xef\xbf\xbd") != std::string::npos) argument = own[own.size() - i];
  }
  return arguments;
}

/// Descriptors from 3 on that this process was started with. Node marks every one as close-on-exec at its
/// start, so they are told from its own by kind: those are event queues, pipes to itself, terminals and
/// /dev/null.
std::vector<int> inherited_descriptors(int own) {
  std::vector<int> kept;
  std::map<ino_t, std::vector<int>> pipes;
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return kept;
  while (const dirent* entry = readdir(directory)) {
    const int fd = atoi(entry->d_name);
    struct stat status;
    if (fd < 3 || fd == own || fd == dirfd(directory) || fstat(fd, &status) != 0) continue;
    const mode_t type = status.st_mode & S_IFMT;
    if (type == S_IFREG || type == S_IFDIR || type == S_IFBLK || type == S_IFSOCK) kept.push_back(fd);
    if (type == S_IFIFO) pipes[status.st_ino].push_back(fd);
  }
  closedir(directory);
  for (const auto& [inode, ends] : pipes)
    if (ends.size() == 1) kept.push_back(ends.front());
  return kept;
}

/// What Node changed for itself and a program would inherit. The limit of open files, which it raises, and
/// signals that were ignored (nohup), which it resets, can't be told any more.
void restore_defaults(const std::vector<int>& descriptors) {
  for (int fd = 0; fd < 3; fd++) {
    const int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK)) fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    fcntl(fd, F_SETFD, 0);
  }
  for (int fd : descriptors) fcntl(fd, F_SETFD, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  signal(SIGXFSZ, SIG_DFL);
}

/// An empty environment stands for this process's own, byte for byte.
int exec(const Command& command, const std::vector<char*>& arguments, const std::vector<char*>& environment) {
  execve(command.path.c_str(), arguments.data(), command.environment.empty() ? environ : environment.data());
  return -errno;
}

// ---- supervision

volatile pid_t supervised = 0;

/// What the kernel sends (keyboard, hang-up) reaches the program by itself, in the same process group.
void pass_on(int signal, siginfo_t* info, void*) {
  if (supervised > 0 && info->si_code <= 0) kill(supervised, signal);
}

/// Faults are a process's own, SIGPIPE and SIGCHLD tell of its own doing; the rest is meant for the program.
bool is_for_program(int signal) {
  constexpr int kOwn[] = {SIGILL,  SIGTRAP, SIGABRT, SIGBUS,  SIGFPE, SIGKILL,
                          SIGSEGV, SIGPIPE, SIGCHLD, SIGSTOP, SIGSYS};
  return std::find(std::begin(kOwn), std::end(kOwn), signal) == std::end(kOwn);
}

/// While the program runs, signals are its business, stops from the keyboard too: it may have the terminal to
/// put in order first, or not stop at all.
class SignalsPassedOn {
 public:
  SignalsPassedOn() {
    struct sigaction action = {};
    action.sa_sigaction = pass_on;
    action.sa_flags = SA_SIGINFO;
    for (int number = 1; number < kCount; number++)
      if (is_for_program(number)) sigaction(number, &action, &before_[number]);
  }
  ~SignalsPassedOn() {
    for (int number = 1; number < kCount; number++)
      if (is_for_program(number)) sigaction(number, &before_[number], nullptr);
  }
  /// In the child, between fork and exec.
  void undo_in_child() const {
    for (int number = 1; number < kCount; number++)
      if (is_for_program(number)) signal(number, SIG_DFL);
  }

 private:
  static constexpr int kCount = 65;  // those of the C library itself are refused
  struct sigaction before_[kCount] = {};
};

uint64_t private_bytes_of(pid_t pid) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
  FILE* file = fopen(path, "re");
  if (file == nullptr) return 0;
  uint64_t total = 0;
  while (fgets(line, sizeof line, file) != nullptr) {
    unsigned long kib;
    if (sscanf(line, "Anonymous: %lu", &kib) == 1) total = uint64_t{kib} * 1024;
  }
  fclose(file);
  return total;
}

void look_at(pid_t pid, const WatchedProgram& watched, ProcessOutcome& outcome) {
  outcome.images = images_of(pid, watched);
  outcome.private_bytes = private_bytes_of(pid);
  outcome.traced = true;
}

void redirect_to_null() {
  const int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; fd++) dup2(null, fd);
  if (null > 2) close(null);
}

bool in_foreground() {
  const int terminal = open("/dev/tty", O_RDONLY | O_CLOEXEC);
  if (terminal < 0) return false;
  const bool is = tcgetpgrp(terminal) == getpgrp();
  close(terminal);
  return is;
}

/// Stops as the program did, so that the shell takes its terminal back; returns when the shell continues
/// both. Somebody who stops just the program, from elsewhere, continues just the program.
void stop_alike(int signal) {
  if (signal != SIGSTOP || in_foreground()) kill(getpid(), SIGSTOP);
}

/// Waits for the end, stopping the program just before it (PTRACE_EVENT_EXIT), while its memory still stands.
void wait_traced(pid_t pid, const WatchedProgram& watched, ProcessOutcome& outcome, rusage& usage) {
  for (;;) {
    if (wait4(pid, &outcome.wait_status, __WALL, &usage) < 0) {
      if (errno == EINTR) continue;
      refuse(errno, "wait4", "");
    }
    if (!WIFSTOPPED(outcome.wait_status)) return;
    const int event = outcome.wait_status >> 16, signal = WSTOPSIG(outcome.wait_status);
    if (event == PTRACE_EVENT_EXIT) {
      look_at(pid, watched, outcome);
      ptrace(PTRACE_CONT, pid, nullptr, nullptr);
    } else if (event == PTRACE_EVENT_STOP &&
               (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU)) {
      ptrace(PTRACE_LISTEN, pid, nullptr, nullptr);  // stays stopped, as its terminal wants it
      stop_alike(signal);
    } else {
      ptrace(PTRACE_CONT, pid, nullptr, event != 0 ? 0L : static_cast<long>(signal));
    }
  }
}

void wait_untraced(pid_t pid, ProcessOutcome& outcome, rusage& usage) {
  for (;;) {
    if (wait4(pid, &outcome.wait_status, WUNTRACED, &usage) < 0) {
      if (errno == EINTR) continue;
      refuse(errno, "wait4", "");
    }
    if (!WIFSTOPPED(outcome.wait_status)) return;
    stop_alike(WSTOPSIG(outcome.wait_status));
  }
}

}  // namespace

int replace_process(const Command& command) {
  const std::vector<std::string> bytes = with_original_bytes(command.arguments);
  const std::vector<char*> arguments = pointers_to(bytes), environment = pointers_to(command.environment);
  restore_defaults(inherited_descriptors(command.held));
  if (command.held >= 0) fcntl(command.held, F_SETFD, 0);
  return exec(command, arguments, environment);
}

ProcessOutcome supervise(const Command& command, const std::string& file, uint64_t start, bool quiet) {
  const std::vector<std::string> bytes = with_original_bytes(command.arguments);
  const std::vector<char*> arguments = pointers_to(bytes), environment = pointers_to(command.environment);
  const std::vector<int> descriptors = inherited_descriptors(command.held);
  const WatchedProgram watched(file, start);  // after that: the program inherits nothing of it
  int gate[2], answer[2];
  if (pipe2(gate, O_CLOEXEC) != 0 || pipe2(answer, O_CLOEXEC) != 0) refuse(errno, "pipe2", command.path);
  const SignalsPassedOn signals;
  const pid_t pid = fork();
  if (pid < 0) refuse(errno, "fork", command.path);
  if (pid == 0) {
    char go;
    close(gate[1]);
    while (read(gate[0], &go, 1) < 0 && errno == EINTR) {
    }
    signals.undo_in_child();
    restore_defaults(descriptors);
    if (quiet) redirect_to_null();
    const int error = exec(command, arguments, environment);
    const ssize_t told = write(answer[1], &error, sizeof error);
    (void)told;
    _exit(126);
  }
  supervised = pid;
  ProcessOutcome outcome;
  // SIGKILL can't be passed on: what is traced ends with its tracer.
  constexpr long kOptions = PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL;
  const bool traced = watched.is_watched() && ptrace(PTRACE_SEIZE, pid, nullptr, kOptions) == 0;
  const uint64_t begin = now_ns();
  close(gate[0]);
  close(gate[1]);  // the child goes on
  close(answer[1]);
  rusage usage = {};
  if (traced) {
    wait_traced(pid, watched, outcome, usage);
  } else {
    wait_untraced(pid, outcome, usage);
  }
  outcome.elapsed_ns = now_ns() - begin;
  supervised = 0;
  outcome.minor_faults = static_cast<uint64_t>(usage.ru_minflt);
  outcome.major_faults = static_cast<uint64_t>(usage.ru_majflt);
  int error = 0;
  const ssize_t told = read(answer[0], &error, sizeof error);
  close(answer[0]);
  if (told == sizeof error && error != 0) refuse(-error, "execve", command.path);
  return outcome;
}

ProcessOutcome time_process(const Command& command) {
  const std::vector<char*> arguments = pointers_to(command.arguments),
                           environment = pointers_to(command.environment);
  volatile int error = 0;
  ProcessOutcome outcome;
  const uint64_t begin = now_ns();
  const pid_t pid = vfork();
  if (pid == 0) {
    redirect_to_null();
    error = exec(command, arguments, environment);
    _exit(126);
  }
  if (pid < 0) refuse(errno, "vfork", command.path);
  rusage usage = {};
  while (wait4(pid, &outcome.wait_status, 0, &usage) < 0 && errno == EINTR) {
  }
  outcome.elapsed_ns = now_ns() - begin;
  if (error != 0) refuse(-error, "execve", command.path);
  outcome.minor_faults = static_cast<uint64_t>(usage.ru_minflt);
  outcome.major_faults = static_cast<uint64_t>(usage.ru_majflt);
  return outcome;
}

}  // namespace insitu
