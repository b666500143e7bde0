// Thread-local storage of mapped libraries (ELF Handling for Thread-Local Storage, dynamic models). The C
// library does not know these modules, so their references lead here; those to its own modules are passed on
// to it.
#pragma once
#include <cstdint>

namespace insitu {

/// What general-dynamic code hands to __tls_get_addr. A module number with the top bit set is one of ours.
struct TlsIndex {
  uint64_t module, offset;
};

/// Registers a module whose blocks start as `file_size` bytes of `image`, then zeros up to `mem_size`. The
/// image is read whenever a thread first touches the module. Returns 0 when there is no room for one more.
uint64_t tls_add(const void* image, uint64_t file_size, uint64_t mem_size, uint64_t align);
/// Frees every thread's block. No thread may use the module from here on; its number may be given again.
void tls_remove(uint64_t module);
/// Address of this thread's variable.
void* tls_address(const TlsIndex& index);

extern "C" {
/// Takes the place of __tls_get_addr for code that insitu linked.
void* insitu_tls_get_addr(const TlsIndex* index);
/// First word of a TLS descriptor; the second points to a TlsIndex (tls_*.S).
void insitu_tlsdesc();
}

}  // namespace insitu
