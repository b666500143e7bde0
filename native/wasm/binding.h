// The wasm part of the addon, for addon.cc: what runtime/wasm calls.
#pragma once
#include <napi.h>

#include <functional>

#include "../load.h"

namespace insitu::wasm {

/// An image that is loaded: its library, and the descriptor of its file, kept for mappings of memory content.
struct LoadedImage {
  const Library* library;
  int fd;
  uint64_t start;
};

/// Adds the functions to the addon's exports. `image_at` gives what an image handle holds.
void add_exports(Napi::Env env, Napi::Object exports,
                 LoadedImage (*image_at)(const Napi::CallbackInfo&, size_t));

}  // namespace insitu::wasm
