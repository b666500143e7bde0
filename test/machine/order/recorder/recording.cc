// The recorder's second half: what has happened becomes events of the trace.
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "recorder.h"
#include "system_call.h"

namespace order {

void Recorder::step_done(const Instruction& instruction, const user_regs_struct& regs) {
  if (options_.every)
    record_changes(region_.all_changes(), instruction.kind == Kind::nontemporal ? "nontemporal" : "store",
                   regs);
  uint64_t offset = 0;
  switch (instruction.kind) {
    case Kind::clwb:
    case Kind::clflushopt:
    case Kind::clflush:
      if (!region_.offset_of(instruction.address, offset) || offset >= region_.length()) return;
      trace_.write_back(offset / kLine * kLine, kind_name(instruction.kind), where(regs.rip));
      return pending_.write_back(offset / kLine);
    case Kind::sfence:
    case Kind::mfence:
      if (pending_.any()) trace_.fence(kind_name(instruction.kind), where(regs.rip));
      return pending_.fence();
    case Kind::locked:
      // A fence by its meaning, and by accident: it does not end the stepping, so that what follows is seen
      // too.
      if (pending_.any()) trace_.fence("locked", where(regs.rip));
      return;
    default:
      return;
  }
}

/// Makes an instruction of the kind that is to be missing a no-op, for good.
bool Recorder::remove(const Instruction& instruction, const user_regs_struct& regs) {
  if (!options_.removed || instruction.kind != *options_.removed) return false;
  uint64_t offset = 0;
  const bool fence = instruction.kind == Kind::sfence || instruction.kind == Kind::mfence;
  if (!fence && !region_.offset_of(instruction.address, offset)) return false;
  std::vector<uint8_t> bytes(instruction.length);
  if (tracee_.read(regs.rip, bytes.data(), bytes.size()) != bytes.size()) give_up("text can't be read");
  removed_[regs.rip] = bytes;
  text_pages_.clear();
  tracee_.write_text(regs.rip, std::vector<uint8_t>(bytes.size(), 0x90));
  trace_.patched(kind_name(instruction.kind), where(regs.rip));
  return true;
}

/// At a no-op that the recorder has made: for the trace nothing happens. Only for how long to step, it is
/// what it was; without that, nothing would ever be done with, and all of the program stepped.
bool Recorder::was_removed(const user_regs_struct& regs) {
  const auto found = removed_.find(regs.rip);
  if (found == removed_.end()) return false;
  const Instruction instruction = decode(found->second.data(), found->second.size(), regs);
  uint64_t offset = 0;
  if (instruction.kind == Kind::sfence || instruction.kind == Kind::mfence)
    pending_.fence();
  else if (region_.offset_of(instruction.address, offset))
    pending_.write_back(offset / kLine);
  user_regs_struct past = regs;
  past.rip += instruction.length;
  tracee_.set_registers(past);
  return true;
}

void Recorder::record_changes(const std::vector<Change>& changes, const char* kind,
                              const user_regs_struct& regs) {
  for (size_t i = 0; i < changes.size(); i++) {
    // What one instruction has stored beside bytes that were the same already is still one store.
    Change whole = changes[i];
    while (i + 1 < changes.size() && changes[i + 1].at + changes[i + 1].size - whole.at <= kLine)
      whole.size = changes[i + 1].at + changes[i + 1].size - whole.at, i++;
    trace_.store(whole.at, region_.bytes() + whole.at, whole.size, kind, where(regs.rip));
    pending_.store(whole.at, whole.size, strcmp(kind, "nontemporal") == 0);
  }
}

void Recorder::nothing_missed() {
  const auto missed = region_.all_changes();
  if (missed.empty()) return;
  give_up("%llu bytes at offset 0x%llx changed unseen: by another thread or process",
          (unsigned long long)missed[0].size, (unsigned long long)missed[0].at);
}

void Recorder::mark(const std::string& path) {
  nothing_missed();
  const std::string text = path.substr(sizeof kMarker - 1);
  if (text == "end") return finish();
  trace_.mark(text);
}

void Recorder::made_durable(uint64_t at, uint64_t size, const char* by) {
  nothing_missed();
  trace_.durable(at, size, by, "kernel");
  pending_.durable(at, size);
}

void Recorder::system_call_done(long number, const user_regs_struct& regs, long result) {
  const std::string path = probed_path(tracee_, number, regs);
  if (path.rfind(kMarker, 0) == 0) return mark(path);
  if (result < 0) return;
  if (changes_mappings(number)) {
    const uint64_t begin = number == SYS_mmap ? static_cast<uint64_t>(result) : regs.rdi;
    region_.find_mappings(tracee_, begin, begin + regs.rsi);
    text_.clear();
    text_pages_.clear();
    if (number == SYS_mremap) region_.find_mappings(tracee_, 0, ~uint64_t{0});
    if (!region_.is_writable()) region_.set_writable(tracee_, false);
  }
  uint64_t offset = 0;
  if (number == SYS_msync && (regs.rdx & MS_SYNC) && region_.offset_of(regs.rdi, offset))
    made_durable(offset, regs.rsi, "msync");
  if ((number == SYS_fsync || number == SYS_fdatasync) &&
      region_.is_descriptor(tracee_, static_cast<int>(regs.rdi)))
    made_durable(0, region_.length(), number == SYS_fsync ? "fsync" : "fdatasync");
  if (stores_into(region_, regs, number) || writes_to(region_, tracee_, number, regs))
    record_changes(region_.all_changes(), "kernel", regs);
}

/// The executable mapping of an address; null if there is none.
const Mapped* Recorder::text_at(uint64_t address) {
  for (int attempt = 0; attempt < 2; attempt++) {
    for (const Mapped& line : text_)
      if (address >= line.begin && address < line.end) return &line;
    text_ = tracee_.mappings();
    std::erase_if(text_, [](const Mapped& line) { return !line.executable; });
  }
  return nullptr;
}

bool Recorder::is_file_text(uint64_t address) {
  const Mapped* const line = text_at(address);
  return line != nullptr && line->inode != 0 && !line->writable;
}

std::string Recorder::where(uint64_t address) {
  const Mapped* const line = text_at(address);
  if (line == nullptr || line->path.empty()) return "JIT";
  char offset[24];
  snprintf(offset, sizeof offset, "+0x%llx", (unsigned long long)(address - line->begin + line->offset));
  return line->path.substr(line->path.rfind('/') + 1) + offset;
}

}  // namespace order
