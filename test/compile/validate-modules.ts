// Valid modules of every feature that is validated: seeds of the mutations too.
import { parse } from '@bytecodealliance/jco';
import { bodies, hex, moduleOf, moduleOfBody, section, signature, types, vector } from './decode-bytes.ts';

const texts: Record<string, string> = {
  control: `(func (param i32 i64) (result i64) (local f32 f64)
    (block $a (result i64)
      (loop $b (param) (result i64)
        (br_if $b (local.get 0))
        (br_table $a $a $a (i64.const 4) (local.get 0)))
      (drop)
      (if (result i64) (local.get 0) (then (i64.const 1)) (else (return (local.get 1)))))
    (drop) (nop) (unreachable))`,
  'multiple values': `(type $swap (func (param i32 i64) (result i64 i32)))
    (func $swap (type $swap) (local.get 1) (local.get 0))
    (func (result i64 i32) (i32.const 1) (i64.const 2)
      (block (type $swap) (call $swap) (drop) (drop) (i64.const 1) (i32.const 1))
      (if (param i64) (result i64) (then) (else (drop) (i64.const 2))) (i32.const 3))`,
  'code that is not reached': `(func (result i32) (unreachable) (i32.add) (br_if 0) (select) (drop)
      (block (result f32) (br 1 (i32.const 0)) (f32.neg)) (drop) (drop) (ref.is_null) (br_table 0 0))
    (func (result i32 i64) (return (i32.const 1) (i64.const 1)) (i64.const 1))`,
  'calls through tables': `(type $f (func (param i32) (result i32)))
    (table $t 3 10 funcref) (elem (i32.const 0) $g $g)
    (func $g (type $f) (call_indirect $t (type $f) (i32.const 2) (local.get 0)))
    (func (export "h") (param i32) (result i32) (return_call $g (local.get 0)))
    (func (param i32) (result i32) (return_call_indirect $t (type $f) (local.get 0) (i32.const 1)))`,
  'tables and references': `(table $a 1 funcref) (table $b 2 4 externref) (table $c funcref (elem $f))
    (elem $e func $f) (elem $x externref (ref.null extern)) (elem declare func $g)
    (func $f (table.set $a (i32.const 0) (ref.func $g)) (drop (table.get $b (i32.const 1)))
      (table.init $a $e (i32.const 0) (i32.const 0) (i32.const 1)) (elem.drop $e)
      (table.copy $a $c (i32.const 0) (i32.const 0) (i32.const 1))
      (table.fill $b (i32.const 0) (ref.null extern) (i32.const 1))
      (drop (table.grow $b (ref.null extern) (table.size $b))))
    (func $g (param externref) (result externref) (local funcref)
      (drop (ref.is_null (local.get 1)))
      (select (result externref) (local.get 0) (ref.null extern) (i32.const 1)))`,
  'functions that ref.func may name': `(global funcref (ref.func $a)) (elem funcref (ref.func $b)) (elem declare func $c)
    (func $a) (func $b) (func $c) (func $d (export "d"))
    (func (result funcref funcref funcref funcref) (ref.func $a) (ref.func $b) (ref.func $c) (ref.func $d))`,
  'tables of initial elements':
    '(func $f) (table 3 funcref (ref.func $f)) (table 1 externref (ref.null extern))',
  memory: `(memory 1 2) (data $d "abc") (data (i32.const 8) "x")
    (func (param i32) (result i64)
      (memory.init $d (i32.const 0) (i32.const 0) (i32.const 3)) (data.drop $d)
      (memory.fill (local.get 0) (i32.const 1) (i32.const 2))
      (memory.copy (local.get 0) (i32.const 1) (i32.const 2))
      (i32.store8 offset=70000 (local.get 0) (memory.grow (memory.size)))
      (i64.load32_u offset=0xffffffff align=2 (local.get 0)))`,
  'several memories': `(memory $a 1) (memory $b i64 1 2) (data (memory $b) (i64.const 1) "x") (data $p "y")
    (func (i32.store $a (i32.wrap_i64 (i64.load $b offset=0x100000000 (i64.const 0))) (i32.const 1))
      (memory.copy $a $b (i32.const 0) (i64.const 0) (i32.const 1))
      (memory.copy $b $b (i64.const 0) (i64.const 0) (i64.const 1))
      (memory.init $b $p (i64.const 0) (i32.const 0) (i32.const 1))
      (v128.store $b (memory.grow $b (memory.size $b)) (v128.load8_splat $a (i32.const 1))))`,
  'tables of 64 bits': `(table $a i64 1 funcref) (table $b 1 funcref) (elem $e func) (elem (table $a) (i64.const 0) func)
    (func (table.copy $a $b (i64.const 0) (i32.const 0) (i32.const 0))
      (table.copy $a $a (i64.const 0) (i64.const 0) (i64.const 0))
      (table.init $a $e (i64.const 0) (i32.const 0) (i32.const 0))
      (table.fill $a (i64.const 0) (ref.null func) (table.grow $a (ref.null func) (table.size $a)))
      (call_indirect $a (i64.const 0)))`,
  globals: `(import "m" "g" (global $i i32)) (import "m" "h" (global $m (mut f64)))
    (global $a i32 (global.get $i)) (global (mut i64) (i64.const -1)) (global v128 (v128.const i64x2 1 2))
    (global externref (ref.null extern)) (global funcref (ref.func $f)) (global f32 (f32.const nan:0x200000))
    (func $f (result i32) (global.set $m (f64.const 1)) (global.set 3 (i64.const 5)) (global.get $a))`,
  'extended constants': `(import "m" "g" (global $g i32)) (memory 1)
    (global i64 (i64.add (i64.const 1) (i64.mul (i64.const 2) (i64.sub (i64.const 3) (i64.const 4)))))
    (global $own i32 (i32.const 8)) (global i32 (i32.sub (global.get $own) (i32.const 1)))
    (data (i32.add (global.get $g) (i32.mul (i32.const 4) (i32.const 4))) "x") (data (global.get $own) "y")`,
  'constants of imported globals': `(import "m" "g" (global $g i32)) (import "m" "r" (global $r funcref)) (memory 1)
    (table 4 funcref) (elem (global.get $g) funcref (global.get $r) (ref.null func)) (data (global.get $g) "x")`,
  'imports and exports': `(import "m" "f" (func $f (param i32))) (import "m" "t" (table 1 funcref))
    (import "m" "n" (memory 1)) (import "m" "e" (tag $e (param i32)))
    (export "f" (func $f)) (export "t" (table 0)) (export "n" (memory 0)) (export "e" (tag $e))
    (func $start) (start $start)`,
  exceptions: `(tag $e (param i32 i64)) (tag $n)
    (func (result i32 i64)
      (block $r (result i32 i64 exnref)
        (block $l (result i32 i64)
          (block $a
            (block $x (result exnref)
              (try_table (catch $e $l) (catch_ref $e $r) (catch_all $a) (catch_all_ref $x)
                (throw $e (i32.const 1) (i64.const 2)))
              (unreachable))
            (throw_ref))
          (throw $n))
        (return))
      (drop))
    (func (param exnref) (result i32) (local exnref)
      (local.set 1 (ref.null exn)) (ref.is_null (local.get 0)))`,
  vectors: `(memory 1)
    (func (param v128 i32) (result v128)
      (v128.store64_lane 1 (local.get 1) (local.get 0))
      (i8x16.shuffle 0 1 2 3 4 5 6 7 24 25 26 27 28 29 30 31
        (v128.load16_lane align=1 3 (local.get 1) (local.get 0)) (f32x4.replace_lane 3 (local.get 0) (f32.const 1)))
      (select (v128.const i32x4 1 2 3 4) (i32x4.shl (local.get 0) (local.get 1)) (local.get 1))
      (i32x4.relaxed_dot_i8x16_i7x16_add_s (v128.const i32x4 0 0 0 0) (local.get 0)) (v128.and))`,
  atomics: `(memory 1 1 shared)
    (func (param i32) (result i64)
      (atomic.fence) (drop (memory.atomic.notify (local.get 0) (i32.const 1)))
      (drop (memory.atomic.wait64 (local.get 0) (i64.const 1) (i64.const 2)))
      (i32.atomic.store16 (local.get 0) (i32.atomic.rmw8.cmpxchg_u (local.get 0) (i32.const 1) (i32.const 2)))
      (i64.atomic.rmw32.xchg_u offset=4 (local.get 0) (i64.const 3)))`,
};

/** Legacy exceptions have no text format any more. */
const legacy = moduleOf(
  types(signature([], []), signature([0x7f], []), signature([], [0x7f])),
  section(3, vector([2])),
  section(13, vector([0, 1], [0, 0])),
  bodies(
    hex(
      [
        '00 06 7f', // try (result i32)
        '06 40 08 01 18 00', // try throw 1 delegate 0
        '06 40 41 05 08 00 07 00 1a 09 00 19 09 00 0b', // try throw 0 catch 0 drop rethrow 0 catch_all rethrow 0 end
        '06 7f 41 01 0b 1a', // try (result i32) i32.const 1 end drop
        '41 02 07 00', // catch 0: its i32 is the result
        '19 06 40 09 01 0b 41 03', // catch_all try rethrow 1 end
        '0b 0b',
      ].join(' '),
    ),
  ),
);

/** By name. */
export async function validModules(): Promise<[string, Uint8Array][]> {
  const parsed = Object.entries(texts).map(async ([name, text]): Promise<[string, Uint8Array]> => {
    return [name, Uint8Array.from(await parse(`(module ${text})`))];
  });
  return [...(await Promise.all(parsed)), ['legacy exceptions', legacy], ['nothing', moduleOfBody([])]];
}
