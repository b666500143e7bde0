// C++ exceptions unwind by tables (.eh_frame) that the unwinder finds through PT_GNU_EH_FRAME, so a loader
// has to make them findable. Nothing thrown here crosses the C boundary.
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>

namespace {

int parse(const char* text) {
  if (text == nullptr) throw std::invalid_argument("no text");
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  if (end == text || *end != '\0') throw std::invalid_argument(std::string("not a number: ") + text);
  if (value < 0 || value > 1'000'000) throw std::out_of_range(std::string("out of range: ") + text);
  return static_cast<int>(value);
}

// Unwinding must run the destructors of the frames it leaves.
struct Depth {
  int& left;
  explicit Depth(int& counter) : left(counter) {}
  ~Depth() { left++; }
};

void descend(int frames, int& left) {
  const Depth depth(left);
  if (frames == 0) throw std::runtime_error("bottom");
  descend(frames - 1, left);
}

}  // namespace

/// The number in `text`; -1 if it is none, -2 if it is out of range: thrown and caught inside the library.
extern "C" int parse_or_negative(const char* text) try {
  return parse(text);
} catch (const std::out_of_range&) {
  return -2;
} catch (const std::exception&) {
  return -1;
}

/// Throws below `frames` frames and returns how many were left by unwinding: frames + 1.
extern "C" int unwind(int frames) {
  int left = 0;
  try {
    descend(frames, left);
  } catch (const std::runtime_error&) {
  }
  return left;
}

/// Lets nothing escape: an allocation that cannot succeed gives 0, one that can gives 1.
extern "C" int can_allocate(unsigned long bytes) noexcept {
  char* block = new (std::nothrow) char[bytes];
  delete[] block;
  return block != nullptr;
}
