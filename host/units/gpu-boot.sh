#!/usr/bin/env bash
# Made by labstamp: NVIDIA's modules, device nodes and persistence mode, before LXD starts.
#
# LXD looks into /dev once, when a container starts, and passes on what it finds there. The nodes
# of CUDA (/dev/nvidia-uvm) are only made when a CUDA program first runs, by the setuid tool
# nvidia-modprobe. So after every boot containers have no CUDA, until somebody starts one on the
# host (the guides run `python -c 'import torch; torch.cuda.init()'` there) and then restarts all
# containers. This does what that program would have done, and does it in time.
#
# usage: gpu-boot.sh [ROOT]   ROOT: another root than /, for the tests
set -uo pipefail
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

root=${1:-}
nvidia_major=195 # assigned for good: Documentation/admin-guide/devices.txt of the kernel

say() { printf 'gpu-boot: %s\n' "$*"; }
have() { command -v "$1" >/dev/null 2>&1; }

cards() { # NVIDIA's display controllers on the PCI bus
    local device
    for device in "$root"/sys/bus/pci/devices/*; do
        if [ "$(cat "$device/vendor" 2>/dev/null)" = 0x10de ] &&
            [[ $(cat "$device/class" 2>/dev/null) == 0x03* ]]; then
            printf '%s\n' "${device##*/}"
        fi
    done
}

load() { # load MODULE
    if modprobe "$1" 2>/dev/null; then
        say "module $1 is loaded"
    elif [ -r "$root/proc/driver/nvidia/version" ] && { [ "$1" = nvidia ] || [ -n "$(major_of "$1")" ]; }; then
        say "module $1 was loaded already"
    else
        say "module $1 does not load: $(modprobe "$1" 2>&1 | head -n 1)"
    fi
}

major_of() { awk -v name="$1" '$2 == name { print $1; exit }' "$root/proc/devices" 2>/dev/null; }

minors() { # of the cards, as the driver numbers them: not the order of nvidia-smi
    awk '/^Device Minor:/ { print $3 }' "$root"/proc/driver/nvidia/gpus/*/information 2>/dev/null
}

node() { # node NAME MAJOR MINOR: made where it is missing; whoever uses CUDA writes to it
    [ -e "$root/dev/$1" ] && return
    [ -n "$2" ] || { say "/dev/$1 cannot be made: its module is not loaded"; return; }
    if mknod -m 666 "$root/dev/$1" c "$2" "$3"; then say "/dev/$1 made"; fi
}

make_nodes() {
    local minor uvm
    # NVIDIA's own tool first: it knows the owner and mode that the module was told. With -u its -c
    # counts the nodes of uvm, without the GPUs, of which 255 is nvidiactl (nvidia-modprobe.c).
    if [ -z "$root" ] && have nvidia-modprobe; then
        nvidia-modprobe -u -c 0 || say "nvidia-modprobe -u -c 0 failed (exit $?)"
        for minor in 255 $(minors); do nvidia-modprobe -c "$minor"; done
    fi
    node nvidiactl "$nvidia_major" 255
    for minor in $(minors); do node "nvidia$minor" "$nvidia_major" "$minor"; done
    # Its major number is given out at load time and may be another one after each boot.
    uvm=$(major_of nvidia-uvm)
    node nvidia-uvm "$uvm" 0
    node nvidia-uvm-tools "$uvm" 1
}

keep_awake() { # without a client the driver forgets the cards' state and wakes them for seconds
    if pidof nvidia-persistenced >/dev/null 2>&1; then
        say "persistence: nvidia-persistenced runs"
    elif have nvidia-smi && nvidia-smi -pm 1 >/dev/null 2>&1; then
        say "persistence mode is on"
    else
        say "persistence mode stays off: neither nvidia-persistenced nor nvidia-smi does it"
    fi
}

found=$(cards | wc -l)
if [ "$found" = 0 ]; then
    say "no NVIDIA GPU here, nothing to do"
    exit 0
fi
say "$found NVIDIA GPU(s)"
load nvidia
load nvidia-uvm
make_nodes
[ -n "$root" ] || keep_awake
missing=""
for name in nvidiactl nvidia-uvm; do
    [ -e "$root/dev/$name" ] || missing="$missing /dev/$name"
done
if [ -n "$missing" ]; then
    say "still missing:$missing. Containers that start now have no CUDA; look at: dmesg | grep -i nvrm"
    exit 1
fi
say "ready"
