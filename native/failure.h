// What went wrong, where, and what was wanted: the one error shape of the freestanding part (reader, mapper,
// relocator), which has neither exceptions nor a heap because insitu-exec runs it without a C library.
#pragma once
#include <cstddef>
#include <cstdint>

namespace insitu {

struct Hex {
  uint64_t value;
};

/// A bounded, always NUL-terminated message. Longer text is cut, never overrun.
template <size_t N>
class Text {
 public:
  Text& operator<<(const char* s) {
    while (*s != '\0' && used_ + 1 < N) bytes_[used_++] = *s++;
    bytes_[used_] = '\0';
    return *this;
  }
  Text& operator<<(uint64_t value) { return number(value, 10); }
  Text& operator<<(uint32_t value) { return number(value, 10); }
  Text& operator<<(Hex hex) {
    *this << "0x";
    return number(hex.value, 16);
  }
  const char* c_str() const { return bytes_; }
  bool empty() const { return used_ == 0; }
  bool has_room(size_t bytes) const { return used_ + bytes + 1 < N; }
  void clear() { bytes_[used_ = 0] = '\0'; }

 private:
  Text& number(uint64_t value, uint64_t radix) {
    char digits[24];
    size_t n = 0;
    do digits[n++] = "0123456789abcdef"[value % radix];
    while ((value /= radix) != 0);
    while (n > 0 && used_ + 1 < N) bytes_[used_++] = digits[--n];
    bytes_[used_] = '\0';
    return *this;
  }
  char bytes_[N] = {};
  size_t used_ = 0;
};

/// `code` names the kind of failure for programs (see loader/error.ts), `offset` the place in the stored
/// image, `text` says found and wanted for people. `system_error` is an errno where a system call failed,
/// else 0.
struct Failure {
  const char* code = nullptr;
  uint64_t offset = 0;
  int system_error = 0;
  const char* syscall = nullptr;
  Text<1024> text;
};

/// Starts a failure's text; reads as `return fail(failure, "ERR_HEADER", 4) << "…"` through FailureText's
/// bool.
class FailureText {
 public:
  explicit FailureText(Failure& failure) : failure_(failure) {}
  template <typename T>
  FailureText& operator<<(T part) {
    failure_.text << part;
    return *this;
  }
  operator bool() const { return false; }

 private:
  Failure& failure_;
};

inline FailureText fail(Failure& failure, const char* code, uint64_t offset) {
  failure.code = code;
  failure.offset = offset;
  failure.system_error = 0;
  failure.syscall = nullptr;
  failure.text.clear();
  return FailureText(failure);
}

/// `negated` is the -errno that a raw system call gave back.
inline FailureText fail_system(Failure& failure, const char* syscall, long negated) {
  FailureText text = fail(failure, "ERR_SYSTEM", 0);
  failure.system_error = static_cast<int>(-negated);
  failure.syscall = syscall;
  return text;
}

}  // namespace insitu
