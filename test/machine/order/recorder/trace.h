// The trace: one JSON object a line, in program order. trace.ts reads it; the shapes are described there.
#pragma once
#include <stdio.h>

#include <cstdint>
#include <string>

namespace order {

class Trace {
 public:
  explicit Trace(const char* path);
  ~Trace();
  Trace(const Trace&) = delete;

  /// `where` is the code that did it, as FILE+0xOFFSET.
  void store(uint64_t at, const uint8_t* bytes, uint64_t size, const char* kind, const std::string& where);
  void write_back(uint64_t line, const char* by, const std::string& where);
  void fence(const char* by, const std::string& where);
  /// A system call after whose success a range is durable.
  void durable(uint64_t at, uint64_t size, const char* by, const std::string& where);
  void mark(const std::string& text);
  void patched(const char* what, const std::string& where);
  void end(uint64_t steps, double seconds);
  uint64_t events() const { return events_; }

 private:
  FILE* file_;
  uint64_t events_ = 0;
  uint64_t locked_at_ = 0;  // events_ when the last of them was a locked instruction
};

}  // namespace order
