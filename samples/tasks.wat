;; A program of WASI preview 1. The first letter of its first argument says what it does: a(rguments), c(at standard input),
;; e(xit with 7), t(rap), s(tack), f(ile: print one of the first directory that it was given), l(oop), w(rite a megabyte).
;; Without one it ends at once.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 64)
  ;; 0: an iovec, 8: a result, 16: argv, 4096: what they point to; 1 MiB: the environment; 2 MiB: what is read
  (func $write_all (param $from i32) (param $size i32)
    (block $done
      (loop $more
        (br_if $done (i32.eqz (local.get $size)))
        (i32.store (i32.const 0) (local.get $from))
        (i32.store (i32.const 4) (local.get $size))
        ;; an error becomes the exit code
        (call $check (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (local.set $from (i32.add (local.get $from) (i32.load (i32.const 8))))
        (local.set $size (i32.sub (local.get $size) (i32.load (i32.const 8))))
        (br $more))))
  (func $check (param $error i32)
    (if (local.get $error) (then (call $proc_exit (i32.add (i32.const 100) (local.get $error))))))
  (func $cat (param $fd i32)
    (loop $more
      (i32.store (i32.const 0) (i32.const 0x200000))
      (i32.store (i32.const 4) (i32.const 65536))
      (call $check (call $fd_read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
      (if (i32.load (i32.const 8))
        (then
          (call $write_all (i32.const 0x200000) (i32.load (i32.const 8)))
          (br $more)))))
  (func $print_file (param $name i32)
    (local $end i32)
    (local.set $end (local.get $name))
    (loop $letters
      (if (i32.load8_u (local.get $end))
        (then (local.set $end (i32.add (local.get $end) (i32.const 1))) (br $letters))))
    (call $check (call $path_open (i32.const 3) (i32.const 0) (local.get $name)
      (i32.sub (local.get $end) (local.get $name)) (i32.const 0) (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 8)))
    (call $cat (i32.load (i32.const 8))))
  (func $recurse (export "recurse") (param $depth i32) (result i32)
    (i32.add (i32.const 1) (call $recurse (i32.add (local.get $depth) (i32.const 1)))))
  (func $arguments
    (call $write_all (i32.const 4096) (i32.load (i32.const 12)))
    (call $check (call $environ_sizes_get (i32.const 0) (i32.const 8)))
    (call $check (call $environ_get (i32.const 0x180000) (i32.const 0x100000)))
    (call $check (call $environ_sizes_get (i32.const 0) (i32.const 12)))
    (call $write_all (i32.const 0x100000) (i32.load (i32.const 12))))
  (func (export "_start") (local $task i32)
    (call $check (call $args_sizes_get (i32.const 8) (i32.const 12)))
    (call $check (call $args_get (i32.const 16) (i32.const 4096)))
    (if (i32.lt_u (i32.load (i32.const 8)) (i32.const 2)) (then (return)))
    (local.set $task (i32.load8_u (i32.load (i32.const 20))))
    (if (i32.eq (local.get $task) (i32.const 97)) (then (call $arguments)))
    (if (i32.eq (local.get $task) (i32.const 99)) (then (call $cat (i32.const 0))))
    (if (i32.eq (local.get $task) (i32.const 101)) (then (call $proc_exit (i32.const 7))))
    (if (i32.eq (local.get $task) (i32.const 116)) (then (unreachable)))
    (if (i32.eq (local.get $task) (i32.const 115)) (then (drop (call $recurse (i32.const 0)))))
    (if (i32.eq (local.get $task) (i32.const 102)) (then (call $print_file (i32.load (i32.const 24)))))
    (if (i32.eq (local.get $task) (i32.const 108)) (then (loop $forever (br $forever))))
    (if (i32.eq (local.get $task) (i32.const 119)) (then (call $write_all (i32.const 0x200000) (i32.const 0x100000))))))
