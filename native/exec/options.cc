#include "exec/options.h"

#include "exec/report.h"

namespace insitu {
namespace {

constexpr char kUsage[] =
    "usage: insitu-exec [--copy] [--argv0 NAME] FILE[@OFFSET[+SIZE]] [ARG...]\n"
    "Starts the ELF program FILE where it is stored: text is mapped, not read into memory.\n"
    "  @OFFSET       the program starts at this byte of FILE (decimal or 0x...; page aligned);\n"
    "                for a FILE whose own name ends in @NUMBER say FILE@0\n"
    "  +SIZE         and has so many bytes, which are locked (fcntl F_OFD_SETLK) while they are mapped\n"
    "  --copy        read it into anonymous memory instead, to compare with\n"
    "  --argv0 NAME  the program's argv[0]; else FILE\n"
    "  --held FD     close this descriptor when the program is mapped\n"
    "  --help, --version\n"
    "Status: the program's own; 2 usage, 127 FILE not found, 126 FILE cannot be started.\n";

constexpr uint64_t kMaxDescriptor = 0x7fffffff;

bool same(const char* a, const char* b) {
  while (*a != '\0' && *a == *b) a++, b++;
  return *a == *b;
}

[[noreturn]] void answer(const char* text) { leave(write_text(1, text) ? 0 : 1); }

[[noreturn]] void misuse(const char* what, const char* argument) {
  Line line;
  line << "insitu-exec: " << what << argument << "; see insitu-exec --help\n";
  write_text(2, line.c_str());
  leave(kUsageError);
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 16;
}

/// Up to the end, or to `until`: where it stopped, or null.
const char* parse_number(const char* s, uint64_t& value, char until = '\0') {
  const uint64_t radix = s[0] == '0' && (s[1] == 'x' || s[1] == 'X') ? 16 : 10;
  if (radix == 16) s += 2;
  if (*s == '\0' || *s == until) return nullptr;
  for (value = 0; *s != '\0' && *s != until; s++) {
    const auto digit = static_cast<uint64_t>(digit_of(*s));
    if (digit >= radix || value > (~uint64_t{0} - digit) / radix) return nullptr;
    value = value * radix + digit;
  }
  return s;
}

/// What follows the last '@' is an offset if it is a number, or two with a '+' between; otherwise the '@'
/// belongs to the name.
void split_offset(Options& options) {
  options.path_size = length(options.file);
  for (uint64_t at = options.path_size; at-- > 1;)
    if (options.file[at] == '@') {
      uint64_t offset = 0, size = 0;
      const char* behind = parse_number(options.file + at + 1, offset, '+');
      if (behind == nullptr || (*behind == '+' && parse_number(behind + 1, size) == nullptr)) return;
      options.has_offset = true;
      options.offset = offset;
      options.size = size;
      options.path_size = at;
      return;
    }
}

}  // namespace

Options parse_options(long argc, char** argv) {
  Options options;
  long i = 1;
  for (; i < argc && argv[i][0] == '-'; i++) {
    const char* option = argv[i];
    if (same(option, "--")) {
      i++;
      break;
    }
    if (same(option, "--help")) answer(kUsage);
    if (same(option, "--version")) answer("0.1.0\n");
    if (same(option, "--copy")) {
      options.copy = true;
    } else if (same(option, "--held")) {
      uint64_t held = 0;
      if (++i >= argc || parse_number(argv[i], held) == nullptr || held > kMaxDescriptor)
        misuse("want a descriptor after ", option);
      options.held = static_cast<int>(held);
    } else if (same(option, "--argv0")) {
      if (++i >= argc) misuse("want a NAME after ", option);
      options.argv0 = argv[i];
    } else {
      misuse("no such option ", option);
    }
  }
  if (i >= argc) misuse("want a FILE", "");
  options.index = i;
  options.file = argv[i];
  split_offset(options);
  return options;
}

}  // namespace insitu
