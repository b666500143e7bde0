// The image of a file that was seen before, by the index of a store (loader/images/find.ts writes it, and
// looks further where this finds nothing).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace insitu::wasm {

struct KnownImage {
  uint32_t store = 0;  // which of those that were looked in
  std::string target;  // SHA256/NAME: the entry's name and the image's
};

/// `stores`: roots; `index`: where an index lies in each. Links are read and never followed, and one that has
/// not the shape of ours is passed over. False where no image is known, or the file cannot be looked at.
bool find_known(const char* path, const std::vector<std::string>& stores, const std::string& index,
                KnownImage& found);

}  // namespace insitu::wasm
