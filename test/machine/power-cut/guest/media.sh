# Sourced in the guest behind ../../guest/media.sh: namespaces made without ndctl, which takes seconds on an emulated
# processor, the same media again after a power cut, and the bench.

ND=/sys/bus/nd

# By address; starts no program.
region_at() { # N
  local path resource regions=()
  for path in $ND/devices/region*; do
    read -r resource <"$path/resource"
    regions[resource >> 20]=${path##*/region}
  done
  regions=("${regions[@]}")
  echo "${regions[$1]}"
}

# Takes the place of the function of the same name: a raw namespace gets its info block from the kernel itself.
namespace() { # N MODE [--align=UNIT]
  local region kind driver claim uuid
  region=$(region_at "$1")
  case $2 in
    fsdax) kind=pfn driver=nd_pmem ;;
    devdax) kind=dax driver=dax_pmem ;;
  esac
  read -r claim <"$ND/devices/region$region/${kind}_seed" && read -r uuid </proc/sys/kernel/random/uuid &&
    echo "namespace$region.0" >$ND/drivers/nd_pmem/unbind && echo "$uuid" >"$ND/devices/$claim/uuid" &&
    echo ram >"$ND/devices/$claim/mode" && echo "$(bytes "${3:---align=2M}")" >"$ND/devices/$claim/align" &&
    echo "namespace$region.0" >"$ND/devices/$claim/namespace" && echo "$claim" >"$ND/drivers/$driver/bind" &&
    echo "$region"
}

bytes() { # --align=2M|4k
  case $1 in *2M) echo 2097152 ;; *4k) echo 4096 ;; esac
}

# The kernel finds namespaces in its own time.
there() { # DEVICE
  local tries
  for tries in {1..100}; do
    if [ -e "$1" ]; then echo "$1" && return; fi
    sleep 0.1
  done
  echo "$1 is not there" >&2
  return 1
}

pmem_again() { # N DIRECTORY OPTIONS
  local device
  device=$(there "/dev/pmem$(region_at "$1")") && mounted "$device" "$2" "$3"
}

devdax_again() { # N
  there "/dev/dax$(region_at "$1").0"
}

# Prints the device. Each argument START:LENGTH, in MiB, is a partition of it.
bench() { # N PARTITION…
  local device i=0 partition
  device=/dev/pmem$(namespace "$1" fsdax) || return
  for partition in "${@:2}"; do
    i=$((i + 1))
    addpart "$device" $i $((${partition%:*} * 2048)) $((${partition#*:} * 2048)) || return
  done
  echo "$device"
}
