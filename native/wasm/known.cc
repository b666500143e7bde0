#include "known.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <string_view>

namespace insitu::wasm {
namespace {

constexpr uint32_t kHashDigits = 64, kCpuDigits = 16;

bool is_hexadecimal(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool take(std::string_view& text, std::string_view beginning) {
  if (!text.starts_with(beginning)) return false;
  text.remove_prefix(beginning.size());
  return true;
}

/// As loader/images/layout.ts has it: ARCH-CPU.FORMAT.so
bool is_image_name(std::string_view name) {
  if (!take(name, "x86-64-") && !take(name, "aarch64-")) return false;
  if (!take(name, "baseline")) {
    if (name.size() < kCpuDigits || !is_hexadecimal(name.substr(0, kCpuDigits))) return false;
    name.remove_prefix(kCpuDigits);
  }
  const size_t digits = name.size() > 4 ? name.size() - 4 : 0;
  return digits > 0 && name[0] == '.' && name.ends_with(".so") &&
         name.substr(1, digits).find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_target(std::string_view target) {
  return target.size() > kHashDigits + 1 && is_hexadecimal(target.substr(0, kHashDigits)) &&
         target[kHashDigits] == '/' && is_image_name(target.substr(kHashDigits + 1));
}

uint64_t nanoseconds(const timespec& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1000000000u + static_cast<uint64_t>(time.tv_nsec);
}

/// As fileKey of loader/images/layout.ts.
std::string key_of(const struct stat& file) {
  char key[128];
  const int size =
      snprintf(key, sizeof key, "/file-%" PRIu64 "-%" PRIu64 "-%" PRIu64 "-%" PRIu64 "-%" PRIu64,
               static_cast<uint64_t>(file.st_dev), static_cast<uint64_t>(file.st_ino),
               static_cast<uint64_t>(file.st_size), nanoseconds(file.st_mtim), nanoseconds(file.st_ctim));
  return {key, static_cast<size_t>(size)};
}

}  // namespace

bool find_known(const char* path, const std::vector<std::string>& stores, const std::string& index,
                KnownImage& found) {
  struct stat status;
  if (stat(path, &status) != 0 || !S_ISREG(status.st_mode)) return false;
  const std::string key = index + key_of(status);
  for (uint32_t i = 0; i < stores.size(); i++) {
    char target[256];
    const ssize_t size = readlink((stores[i] + key).c_str(), target, sizeof target);
    if (size <= 0 || static_cast<size_t>(size) == sizeof target) continue;
    found.store = i;
    found.target.assign(target, static_cast<size_t>(size));
    // Another store may have what this one has no more.
    if (is_target(found.target) && access((stores[i] + "/entries/" + found.target).c_str(), F_OK) == 0)
      return true;
  }
  return false;
}

}  // namespace insitu::wasm
