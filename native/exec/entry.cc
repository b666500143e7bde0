#include "exec/entry.h"

#include <cstddef>

extern "C" {
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char insitu_image_end[] __attribute__((visibility("hidden")));
[[noreturn]] __attribute__((visibility("hidden"))) void insitu_enter(uint64_t* stack, uint64_t address);

// The compiler calls these by name even in a freestanding program.
void* memcpy(void* to, const void* from, size_t count);
void* memmove(void* to, const void* from, size_t count);
void* memset(void* to, int value, size_t count);
}

#if defined(__x86_64__)
// The address goes to the stack, below the program's, so that no register has to hold it.
__asm__(R"(
  .section .text.entry,"ax",@progbits
  .globl _start
  .hidden _start
  .type _start,@function
_start:
  xor %ebp, %ebp
  mov %rsp, %rdi
  and $-16, %rsp
  call insitu_main
  ud2
  .globl insitu_enter
  .hidden insitu_enter
  .type insitu_enter,@function
insitu_enter:
  mov %rsi, -8(%rdi)
  lea -8(%rdi), %rsp
  xor %eax, %eax
  xor %ebx, %ebx
  xor %ecx, %ecx
  xor %edx, %edx
  xor %esi, %esi
  xor %edi, %edi
  xor %ebp, %ebp
  xor %r8d, %r8d
  xor %r9d, %r9d
  xor %r10d, %r10d
  xor %r11d, %r11d
  xor %r12d, %r12d
  xor %r13d, %r13d
  xor %r14d, %r14d
  xor %r15d, %r15d
  ret
  .section .note.GNU-stack,"",@progbits
  .text
)");
#else
// x16 holds the address: a branch through it may enter text that is guarded by BTI.
__asm__(R"(
  .section .text.entry,"ax",%progbits
  .globl _start
  .hidden _start
  .type _start,%function
_start:
  mov x29, #0
  mov x30, #0
  mov x0, sp
  and x1, x0, #-16
  mov sp, x1
  bl insitu_main
  brk #1
  .globl insitu_enter
  .hidden insitu_enter
  .type insitu_enter,%function
insitu_enter:
  mov sp, x0
  mov x16, x1
  .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,17,18,19,20,21,22,23,24,25,26,27,28,29,30
  mov x\n, #0
  .endr
  br x16
  .section .note.GNU-stack,"",%progbits
  .text
)");
#endif

void* memmove(void* to, const void* from, size_t count) {
  auto* t = static_cast<uint8_t*>(to);
  const auto* f = static_cast<const uint8_t*>(from);
  if (t <= f) return memcpy(to, from, count);
  while (count > 0) count--, t[count] = f[count];
  return to;
}

#if defined(__x86_64__)
void* memcpy(void* to, const void* from, size_t count) {
  void* t = to;
  __asm__ volatile("rep movsb" : "+D"(t), "+S"(from), "+c"(count) : : "memory");
  return to;
}
void* memset(void* to, int value, size_t count) {
  void* t = to;
  __asm__ volatile("rep stosb" : "+D"(t), "+c"(count) : "a"(value) : "memory");
  return to;
}
#else
void* memcpy(void* to, const void* from, size_t count) {
  auto* t = static_cast<uint8_t*>(to);
  const auto* f = static_cast<const uint8_t*>(from);
  for (; count >= 8; count -= 8, t += 8, f += 8) {
    uint64_t word;
    __asm__ volatile("ldr %0, [%1]\n str %0, [%2]" : "=&r"(word) : "r"(f), "r"(t) : "memory");
  }
  while (count-- > 0) *t++ = *f++;
  return to;
}
void* memset(void* to, int value, size_t count) {
  auto* t = static_cast<uint8_t*>(to);
  while (count-- > 0) *t++ = static_cast<uint8_t>(value);
  return to;
}
#endif

namespace insitu {

void enter(uint64_t* stack, uint64_t address) { insitu_enter(stack, address); }

OwnImage own_image() {
  const auto start = reinterpret_cast<uint64_t>(__ehdr_start);
  return OwnImage{start, reinterpret_cast<uint64_t>(insitu_image_end) - start};
}

}  // namespace insitu
