// Pointers that a signal handler or an unwinder walks through while others come and go: slots are published
// and cleared atomically, so that reading takes no lock and no heap.
#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>

namespace insitu {

template <typename T, uint64_t kCapacity>
class Published {
 public:
  /// Keeps the pointer until remove. False when there is no room for one more.
  bool add(T* item) {
    const std::lock_guard lock(mutex_);
    const uint64_t count = count_.load(std::memory_order_relaxed);
    uint64_t free = 0;
    while (free < count && slots_[free].load(std::memory_order_relaxed) != nullptr) free++;
    if (free == kCapacity) return false;
    slots_[free].store(item, std::memory_order_release);
    if (free == count) count_.store(count + 1, std::memory_order_release);
    return true;
  }

  void remove(T* item) {
    const std::lock_guard lock(mutex_);
    const uint64_t count = count_.load(std::memory_order_relaxed);
    for (uint64_t i = 0; i < count; i++)
      if (slots_[i].load(std::memory_order_relaxed) == item)
        slots_[i].store(nullptr, std::memory_order_release);
  }

  /// The item whose [begin, end) holds an address, or null.
  T* find(uint64_t address) const {
    const uint64_t count = count_.load(std::memory_order_acquire);
    for (uint64_t i = 0; i < count; i++) {
      T* item = slots_[i].load(std::memory_order_acquire);
      if (item != nullptr && address >= item->begin && address < item->end) return item;
    }
    return nullptr;
  }

 private:
  std::atomic<T*> slots_[kCapacity] = {};
  std::atomic<uint64_t> count_{0};
  std::mutex mutex_;
};

}  // namespace insitu
