// A Node-API addon in plain C. Loaded in place, its text is shared by every process that loads it.
#define NAPI_VERSION 8
#include <node_api.h>
#include <stdint.h>

/// add(a, b): the sum of two numbers; throws a TypeError for anything else.
static napi_value add(napi_env env, napi_callback_info info) {
  napi_value argv[2], sum;
  size_t argc = 2;
  double a, b;
  if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok) return NULL;
  if (argc < 2 || napi_get_value_double(env, argv[0], &a) != napi_ok ||
      napi_get_value_double(env, argv[1], &b) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "add(a, b) wants two numbers");
    return NULL;
  }
  return napi_create_double(env, a + b, &sum) == napi_ok ? sum : NULL;
}

/// where(): the address of add() as a bigint, to be looked up in /proc/self/maps.
static napi_value where(napi_env env, napi_callback_info info) {
  (void)info;
  napi_value address;
  return napi_create_bigint_uint64(env, (uint64_t)(uintptr_t)add, &address) == napi_ok ? address : NULL;
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor properties[] = {
      {"add", NULL, add, NULL, NULL, NULL, napi_enumerable, NULL},
      {"where", NULL, where, NULL, NULL, NULL, napi_enumerable, NULL},
  };
  return napi_define_properties(env, exports, 2, properties) == napi_ok ? exports : NULL;
}
