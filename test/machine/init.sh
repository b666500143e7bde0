#!/bin/busybox sh
# First process of the guest. Its root is the host's own over 9p, read-only, under a tmpfs that takes what is written: node,
# the project and every tool are there without an image of their own. Runs /job, and tells its exit status.
B=/bin/busybox
$B mount -t proc proc /proc
$B mount -t sysfs sys /sys
$B mount -t devtmpfs dev /dev
for module in /modules/*.ko; do $B insmod "$module" || echo "insmod $module failed" >/dev/kmsg; done

$B mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro root /host
$B mount -t tmpfs -o size=75% tmpfs /over
$B mkdir /over/upper /over/work
$B mount -t overlay -o lowerdir=/host,upperdir=/over/upper,workdir=/over/work overlay /root
R=/root
$B mount -t proc proc $R/proc
$B mount -t sysfs sys $R/sys
$B mount --bind /dev $R/dev
$B mkdir -p $R/dev/pts $R/dev/shm $R/mnt
$B mount -t devpts devpts $R/dev/pts
$B mount -t tmpfs -o mode=1777 tmpfs $R/dev/shm
$B mount -t tmpfs tmpfs $R/run
$B mount -t tmpfs tmpfs $R/mnt
$B mkdir -p $R/mnt/share
$B mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=none share $R/mnt/share
# The emulated processor keeps single pages of a huge mapping in its TLB after mprotect(2): always flush all of it.
$B mount -t debugfs debugfs $R/sys/kernel/debug && echo 0 >$R/sys/kernel/debug/x86/tlb_single_page_flush_ceiling
$B ifconfig lo 127.0.0.1 up

. /job/environment
port=
tries=0
while [ -z "$port" ] && [ $tries -lt 100 ]; do
  for found in /sys/class/virtio-ports/*; do
    [ "$($B cat "$found/name" 2>/dev/null)" = job ] && port=/dev/${found##*/}
  done
  [ -n "$port" ] || $B sleep 0.1
  tries=$((tries + 1))
done
$B cp -r /job $R/run/job
if [ -n "$INTERACTIVE" ]; then
  $B setsid -c $B chroot $R /bin/bash /run/job/run <>/dev/hvc0 >&0 2>&1
  status=0
else
  exec 3>"$port"
  $B chroot $R /usr/bin/env -i PATH="$JOB_PATH" HOME=/root TERM=dumb LANG=C.UTF-8 /bin/bash /run/job/run >&3 2>&1 </dev/null
  status=$?
  echo "guest ended with status $status" >&3
fi
for mount in $($B awk '$2 ~ "^/root/mnt/" { print $2 }' /proc/mounts | $B sort -r); do $B umount "$mount" 2>/dev/null; done
$B sync
# isa-debug-exit: qemu ends with 2n + 1.
$B printf "\\$($B printf %o $((status & 63)))" | $B dd of=/dev/port bs=1 seek=244 count=1 2>/dev/null
$B poweroff -f
