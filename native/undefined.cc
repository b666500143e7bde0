#include "undefined.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <utility>

namespace insitu {
namespace {

constexpr size_t kMost = 128;

struct Known {
  const char* file = nullptr;
  const char* name = nullptr;
};
Known known[kMost];
std::atomic<size_t> count{0};

[[noreturn]] void end(const Known& one) {
  char text[1024];
  const int length = snprintf(text, sizeof text, "insitu: symbol lookup error: %s: undefined symbol: %s\n",
                              one.file, one.name);
  if (length > 0)
    (void)!write(STDERR_FILENO, text, static_cast<size_t>(length) < sizeof text ? length : sizeof text - 1);
  _exit(127);
}

template <size_t kIndex>
[[noreturn]] void called() {
  end(known[kIndex]);
}

template <size_t... kIndices>
constexpr std::array<void (*)(), kMost> stubs_of(std::index_sequence<kIndices...>) {
  return {called<kIndices>...};
}
constexpr std::array<void (*)(), kMost> stubs = stubs_of(std::make_index_sequence<kMost>());

[[noreturn]] void one_of_many() { end({"a library", "one of more than can be told apart"}); }

}  // namespace

uint64_t undefined_function(const char* file, const char* name) {
  const size_t index = count.fetch_add(1);
  if (index >= kMost) return reinterpret_cast<uint64_t>(&one_of_many);
  known[index] = {file, name};
  return reinterpret_cast<uint64_t>(stubs[index]);
}

}  // namespace insitu
