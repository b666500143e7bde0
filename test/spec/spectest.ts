// The module `spectest` that scripts import from (the reference interpreter's host module). Its functions are those of a
// module and not bare JavaScript functions, which would link as any type; they call on into JavaScript.
const prints: Record<string, string> = {
  print: '',
  print_i32: 'i32',
  print_i64: 'i64',
  print_f32: 'f32',
  print_f64: 'f64',
  print_i32_f32: 'i32 f32',
  print_f64_f64: 'f64 f64',
};

function printFunction([name, params]: [string, string]): string {
  const gets = params.split(' ').map((type, index) => (type ? `(local.get ${index})` : ''));
  return `(func (export "${name}") (param ${params}) (call $host_${name} ${gets.join(' ')}))`;
}

const core = `(module
  ${Object.entries(prints)
    .map(([name, params]) => `(import "host" "${name}" (func $host_${name} (param ${params})))`)
    .join('\n')}
  ${Object.entries(prints).map(printFunction).join('\n')}
  (global (export "global_i32") i32 (i32.const 666))
  (global (export "global_i64") i64 (i64.const 666))
  (global (export "global_f32") f32 (f32.const 666.6))
  (global (export "global_f64") f64 (f64.const 666.6))
  (table (export "table") 10 20 funcref)
  (memory (export "memory") 1 2))`;

/** Modules that are `spectest` together; the second one is there where a way has 64-bit tables. */
export const spectestTexts = [core, '(module (table (export "table64") i64 10 20 funcref))'];

export const spectestHost = Object.fromEntries(Object.keys(prints).map((name) => [name, () => undefined]));
