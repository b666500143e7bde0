// The intrinsics of SSE4.1 alone. gcc's header would include mm_malloc.h, and with it headers of a C library.
#pragma once
#define _MM_MALLOC_H_INCLUDED
#include <smmintrin.h>
