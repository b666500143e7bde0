#include "trace.h"

#include <errno.h>
#include <string.h>

#include "tracee.h"

namespace order {
namespace {

using Unsigned = unsigned long long;

/// A JSON string of names: what JSON would have to escape does not belong in them.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) out += c < ' ' || c == '"' || c == '\\' ? '?' : c;
  return out + '"';
}

}  // namespace

Trace::Trace(const char* path) : file_(fopen(path, "w")) {
  if (file_ == nullptr) give_up("%s: %s", path, strerror(errno));
}

Trace::~Trace() { fclose(file_); }

void Trace::store(uint64_t at, const uint8_t* bytes, uint64_t size, const char* kind,
                  const std::string& where) {
  fprintf(file_, "{\"e\":\"store\",\"at\":%llu,\"hex\":\"", static_cast<Unsigned>(at));
  for (uint64_t i = 0; i < size; i++) fprintf(file_, "%02x", bytes[i]);
  fprintf(file_, "\",\"kind\":\"%s\",\"where\":%s}\n", kind, quoted(where).c_str());
  events_++;
}

void Trace::write_back(uint64_t line, const char* by, const std::string& where) {
  fprintf(file_, "{\"e\":\"write-back\",\"at\":%llu,\"by\":\"%s\",\"where\":%s}\n",
          static_cast<Unsigned>(line), by, quoted(where).c_str());
  events_++;
}

void Trace::fence(const char* by, const std::string& where) {
  // Allocators lock all the time; a second time in a row changes nothing.
  const bool locked = strcmp(by, "locked") == 0;
  if (locked && events_ == locked_at_) return;
  fprintf(file_, "{\"e\":\"fence\",\"by\":\"%s\",\"where\":%s}\n", by, quoted(where).c_str());
  events_++;
  if (locked) locked_at_ = events_;
}

void Trace::durable(uint64_t at, uint64_t size, const char* by, const std::string& where) {
  fprintf(file_, "{\"e\":\"durable\",\"at\":%llu,\"size\":%llu,\"by\":\"%s\",\"where\":%s}\n",
          static_cast<Unsigned>(at), static_cast<Unsigned>(size), by, quoted(where).c_str());
  events_++;
}

void Trace::mark(const std::string& text) {
  fprintf(file_, "{\"e\":\"mark\",\"text\":%s}\n", quoted(text).c_str());
  events_++;
}

void Trace::patched(const char* what, const std::string& where) {
  fprintf(file_, "{\"e\":\"patched\",\"what\":\"%s\",\"where\":%s}\n", what, quoted(where).c_str());
  events_++;
}

void Trace::end(uint64_t steps, double seconds) {
  fprintf(file_, "{\"e\":\"end\",\"events\":%llu,\"steps\":%llu,\"seconds\":%.3f}\n",
          static_cast<Unsigned>(events_), static_cast<Unsigned>(steps), seconds);
  if (fflush(file_) != 0) give_up("trace: %s", strerror(errno));
}

}  // namespace order
