# Sourced in the guest: a function for each medium. Each leaves its file system mounted, or its device ready, and says on
# failure which command failed.

# The kernel numbers regions in the order in which it happens to find them; by address they are in ours. Prints the number
# of the region that NVDIMM N is, having made one namespace over all of it.
namespace() { # N MODE [ndctl options]
  local region
  region=$(for path in /sys/bus/nd/devices/region*; do
    printf '%016x %s\n' "$(cat "$path/resource")" "${path##*/region}"
  done | sort | sed -n "$(($1 + 1))s/.* //p")
  ndctl create-namespace -f -e "namespace$region.0" --mode="$2" --map=mem "${@:3}" >/dev/null && echo "$region"
}

mounted() { # DEVICE DIRECTORY OPTIONS
  mkdir -p "$2" && mount -o "$3" "$1" "$2"
}

# Allocates in whole, aligned 2 MiB extents.
ext4_prepared() { # N DIRECTORY
  local device
  device=/dev/pmem$(namespace "$1" fsdax) && mkfs.ext4 -q -b 4096 -E stride=512,stripe_width=512 "$device" &&
    mounted "$device" "$2" dax=always
}

ext4_default() { # N DIRECTORY
  local device
  device=/dev/pmem$(namespace "$1" fsdax) && mkfs.ext4 -q -b 4096 "$device" && mounted "$device" "$2" dax=always
}

xfs_prepared() { # N DIRECTORY
  local device
  device=/dev/pmem$(namespace "$1" fsdax) && mkfs.xfs -q -f -d agcount=2,su=2m,sw=1 "$device" &&
    mounted "$device" "$2" dax=always
}

erofs_image() { # N DIRECTORY IMAGE
  local device
  device=/dev/pmem$(namespace "$1" fsdax) && dd if="$3" of="$device" bs=2M status=none && mounted "$device" "$2" ro,dax=always
}

# Prints the device.
devdax() { # N ALIGNMENT
  local region
  region=$(namespace "$1" devdax --align="$2") && echo "/dev/dax$region.0"
}

# A block device that has no DAX: xfs mounts all the same, and silently goes without.
xfs_without_dax() { # DEVICE DIRECTORY
  mkfs.xfs -q -f "$1" && mounted "$1" "$2" dax
}

ext4_on_block_device() { # DEVICE DIRECTORY
  mkfs.ext4 -q -b 4096 "$1" && mounted "$1" "$2" defaults
}
