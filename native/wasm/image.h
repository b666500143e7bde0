// A compiled module that is mapped: its description, checked, and what is found by it.
#pragma once
#include <optional>
#include <string>

#include "../library.h"
#include "abi.h"
#include "description.h"

namespace insitu::wasm {

/// Refuses an image that is damaged, of another format, or for another machine or CPU. `library` is mapped
/// and not linked: nothing of it has run. Throws LoadFailure.
void check_image(const Library& library);

class Image {
 public:
  /// Of a library that check_image has let pass; it stays the caller's.
  explicit Image(const Library& library);

  const Description& description() const { return *description_; }

  template <typename T>
  const T* list(const List& list) const {
    return reinterpret_cast<const T*>(base_ + list.at);
  }
  const uint8_t* at(int64_t place) const { return base_ + place; }
  wasm_code code(int32_t place) const {
    return place == 0 ? nullptr : reinterpret_cast<wasm_code>(const_cast<uint8_t*>(base_ + place));
  }
  const Type& type(uint32_t index) const { return list<Type>(description_->types)[index]; }
  uint64_t key_of(uint32_t type) const;
  wasm_enter enter_of(uint32_t type) const {
    return reinterpret_cast<wasm_enter>(code(this->type(type).enter));
  }

  /// The file's offset of a place, for mappings of their own.
  uint64_t file_offset(const uint8_t* address) const;
  const Library& library() const { return library_; }

  bool holds(uint64_t address) const;
  /// Which function an address of its text belongs to: its index in the module, and its name ('' without
  /// one).
  std::optional<uint32_t> function_at(uint64_t address) const;
  std::string function_name(uint32_t index) const;

 private:
  const Library& library_;
  const uint8_t* base_;
  const Description* description_;
};

/// Equal for equal types in all images of the process, as typeKey in loader/compile/signature.ts.
uint64_t long_type_key(const uint8_t* codes, uint32_t params, uint32_t results);

}  // namespace insitu::wasm
