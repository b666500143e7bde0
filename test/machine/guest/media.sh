# Sourced in the guest: a function for each medium. Each leaves its file system mounted, or its device ready, and says on
# failure which command failed.

# NVDIMM number N is region N, with one namespace over all of it.
namespace() { # N MODE [ndctl options]
  ndctl create-namespace -f -e "namespace$1.0" --mode="$2" --map=mem "${@:3}" >/dev/null
}

mounted() { # DEVICE DIRECTORY OPTIONS
  mkdir -p "$2" && mount -o "$3" "$1" "$2"
}

# Allocates in whole, aligned 2 MiB extents.
ext4_prepared() { # N DIRECTORY
  namespace "$1" fsdax && mkfs.ext4 -q -b 4096 -E stride=512,stripe_width=512 "/dev/pmem$1" && mounted "/dev/pmem$1" "$2" dax=always
}

ext4_default() { # N DIRECTORY
  namespace "$1" fsdax && mkfs.ext4 -q -b 4096 "/dev/pmem$1" && mounted "/dev/pmem$1" "$2" dax=always
}

xfs_prepared() { # N DIRECTORY
  namespace "$1" fsdax && mkfs.xfs -q -f -d su=2m,sw=1 "/dev/pmem$1" && mounted "/dev/pmem$1" "$2" dax=always
}

erofs_image() { # N DIRECTORY IMAGE
  namespace "$1" fsdax && dd if="$3" of="/dev/pmem$1" bs=2M status=none && mounted "/dev/pmem$1" "$2" ro,dax=always
}

devdax() { # N ALIGNMENT
  namespace "$1" devdax --align="$2"
}

# A block device that has no DAX: xfs mounts all the same, and silently goes without.
xfs_without_dax() { # DEVICE DIRECTORY
  mkfs.xfs -q -f "$1" && mounted "$1" "$2" dax
}

ext4_on_block_device() { # DEVICE DIRECTORY
  mkfs.ext4 -q -b 4096 "$1" && mounted "$1" "$2" defaults
}
