// Parts of an open file: storage set aside for them, and locks on them that follow mappings.
//
// The locks are those of open file descriptions (fcntl(2), F_OFD_SETLK). The kernel drops one when the last
// reference to the description goes, and a mapping is such a reference: what was locked through the
// descriptor that it was mapped from stays locked until it is unmapped or its process ends, however that
// happens. On overlayfs a mapping refers to another file underneath, and the lock ends with the descriptor.
#pragma once
#include <cstdint>

namespace insitu {

enum class RangeLock : uint32_t { none = 0, shared = 1, exclusive = 2 };

/// True when it is held; false, without `wait`, when somebody else has one that conflicts. Replaces what this
/// description held on the range before. Throws LoadFailure: EINTR when a signal came while it waited, EBADF
/// for an exclusive lock on a descriptor that is not open for writing.
bool lock_range(int fd, uint64_t start, uint64_t length, RangeLock kind, bool wait);

/// As lock_range without waiting, where it is not known whether the file has locks at all: errors are
/// ignored.
void try_lock_shared(int fd, uint64_t start, uint64_t length);

struct LockedRange {
  uint64_t start = 0, end = 0;
};

/// The first lock of anybody else on [start, start + length). False when there is none.
bool find_locked(int fd, uint64_t start, uint64_t length, LockedRange& found);

/// Sets storage aside, as posix_fallocate(3): a store to these bytes can not run out of space any more.
/// Throws LoadFailure (ENOSPC …). The file does not shrink or change.
/// Whether anything is stored from `start` on: holes are not (lseek(2), SEEK_DATA).
bool has_data(int fd, uint64_t start);

void allocate_range(int fd, uint64_t start, uint64_t length);

}  // namespace insitu
