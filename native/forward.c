// A Node addon of the V8 API that is another one: Node calls what insitu was told to hand the call on to, with the exports,
// module and context of the moment. V8's handles are a pointer each, passed as such, so no header of V8's is needed, and one
// file is for every version of Node.
#include <stddef.h>

typedef void* Handle;  // v8::Local

enum Kind { kNone, kBySymbol, kByContext, kPlain };

static __thread struct {
  enum Kind kind;
  void* function;
  void* data;
} pending;

__attribute__((visibility("default"))) void insitu_forward_to(int kind, void* function, void* data) {
  pending.kind = (enum Kind)kind;
  pending.function = function;
  pending.data = data;
}

/// As node.h declares the functions: addon_context_register_func has the context before the data, addon_register_func none.
static void forward(Handle exports, Handle module, Handle context) {
  const enum Kind kind = pending.kind;
  pending.kind = kNone;
  if (kind == kBySymbol) ((void (*)(Handle, Handle, Handle))pending.function)(exports, module, context);
  if (kind == kByContext)
    ((void (*)(Handle, Handle, Handle, void*))pending.function)(exports, module, context, pending.data);
  if (kind == kPlain) ((void (*)(Handle, Handle, void*))pending.function)(exports, module, pending.data);
}

#define NAME(number) node_register_module_v##number
#define AS(number) \
  __attribute__((visibility("default"), alias("forward"))) void NAME(number)(Handle, Handle, Handle);
#define TEN(tens)                                                                                   \
  AS(tens##0) AS(tens##1) AS(tens##2) AS(tens##3) AS(tens##4) AS(tens##5) AS(tens##6) AS(tens##7) \
      AS(tens##8) AS(tens##9)
TEN(11) TEN(12) TEN(13) TEN(14) TEN(15) TEN(16) TEN(17) TEN(18) TEN(19)
