# shellcheck shell=bash
# The simulated GPU host that an LXD of ci/sandbox may run on: a mount namespace, dressed by
# gpu-host. No file says which daemon has one: its processes do, by the namespace they are in.
# Sourced by ci/sandbox.

: "${dir:?}" "${root:?}"

gpu_place=$dir/gpu-host # a mount point in that namespace, an empty directory elsewhere
gpus=0 driver=535.261.03 model="NVIDIA GeForce RTX 4090"
within=() # what a command line needs in front, to run on that host

# parse_gpus ARGUMENT…: sets gpus, driver and model.
parse_gpus() {
    local given=$#
    while [ $# -gt 0 ]; do
        case $1 in
            --gpus | --driver | --model) [ $# -gt 1 ] || fail 2 "$1 needs a value." "ci/sandbox --help" ;;&
            --gpus) gpus=$2 ;;
            --driver) driver=$2 ;;
            --model) model=$2 ;;
            *) fail 2 "Unknown argument: $1" "ci/sandbox --help" ;;
        esac
        shift 2
    done
    [ "$gpus" != 0 ] || [ $given = 0 ] || fail 2 "Which GPUs?" "ci/sandbox start --gpus 4"
    [[ $gpus =~ ^[0-8]$ ]] || fail 2 "--gpus $gpus: a simulated host has 1 to 8 GPUs." "ci/sandbox start --gpus 4"
    check_driver "$driver"
    [[ $model =~ ^[A-Za-z0-9\ -]+$ ]] || fail 2 "--model $model: letters, digits, spaces and hyphens only."
}

check_driver() {
    [[ $1 =~ ^[0-9]+(\.[0-9]+)+$ ]] || fail 2 "$1 is no version of a driver." "ci/sandbox driver 550.163.01"
}

on_gpu_host() { grep -q " $gpu_place " "/proc/$1/mountinfo" 2>/dev/null; } # PID

# hold_gpu_host: keeps the namespace for as long as this script runs, and sets `within`.
hold_gpu_host() {
    local pid
    for pid in $(daemon_pid) $(monitors) $(grep -l " $gpu_place " /proc/[0-9]*/mountinfo 2>/dev/null | cut -d/ -f3); do
        on_gpu_host "$pid" || continue
        exec 8<"/proc/$pid/ns/mnt" || continue
        within=(nsenter "--mount=/proc/$$/fd/8" --)
        return
    done
}

# choose_gpu_host: what the daemon about to start runs on.
choose_gpu_host() {
    if [ -n "$(monitors)" ] && [ "${#within[@]}" -gt 0 ]; then
        return # containers outlived their daemon: the new one must see what they stand on
    fi
    within=()
    [ "$gpus" -gt 0 ] || return 0
    [ -z "$(monitors)" ] || fail 2 "Containers of an LXD without simulated GPUs still run." "ci/sandbox stop"
    refuse_real_cards
    mkdir -p "$gpu_place"
    within=(unshare --mount --propagation private -- "$root/ci/gpu-host"
        dress "$gpu_place" "$gpus" "$driver" "$model" --)
}

refuse_real_cards() {
    if [ -e /sys/module/nvidia ] || { [ -e /dev/nvidiactl ] && ! compgen -G "/dev/nvidia-simulated-*" >/dev/null; }; then
        fail 2 "This machine has NVIDIA's driver: none is simulated beside it." "ci/sandbox start"
    fi
}

# gpus_of PID: what a daemon sees, in words; nothing where it runs on the machine as it is.
gpus_of() {
    local proc=/proc/$1/root/proc/driver/nvidia cards
    on_gpu_host "$1" || return 0
    cards=("$proc"/gpus/*/information)
    printf '%d simulated %s, driver %s' "${#cards[@]}" \
        "$(sed -n 's/^Model:[[:space:]]*//p' "${cards[0]}")" \
        "$(sed -n 's/.*Kernel Module  \([^ ]*\).*/\1/p' "$proc/version")"
}

# insist_on_gpus: that the LXD that runs has the GPUs asked for.
insist_on_gpus() {
    local seen
    seen=$(gpus_of "$(daemon_pid)")
    [ "$seen" = "$gpus simulated $model, driver $driver" ] ||
        fail 2 "It has ${seen:-no simulated GPUs}, not $gpus $model, driver $driver." \
            "ci/sandbox stop, then start it again"
}

require_gpu_host() {
    hold_gpu_host
    [ -n "$(daemon_pid)" ] || fail 4 "LXD does not run ($dir)." "ci/sandbox start --gpus 4"
    [ "${#within[@]}" -gt 0 ] ||
        fail 2 "This LXD has no simulated GPUs ($dir)." "ci/sandbox stop && ci/sandbox start --gpus 4"
}

gpu_host() { "${within[@]}" "$root/ci/gpu-host" "$1" "$gpu_place" "${@:2}"; } # VERB ARGUMENT…

# ---- the verbs ------------------------------------------------------------------------------

# What running containers ran before runs again afterwards: LXD itself sees to it, as at any boot.
reboot() {
    local version="" nodes=make began=$SECONDS pid
    while [ $# -gt 0 ]; do
        case $1 in
            --driver) version=${2:-} && check_driver "$version" && shift ;;
            --no-uvm) nodes=lose ;;
            *) fail 2 "Unknown argument: $1" "ci/sandbox --help" ;;
        esac
        shift
    done
    require_gpu_host
    halt
    [ -z "$version" ] || gpu_host version "$version"
    gpu_host nodes "$nodes"
    start_lxcfs
    launch
    pid=$(daemon_pid)
    say "Rebooted: LXD $(answer server_version) runs: pid $pid, $(gpus_of "$pid") ($((SECONDS - began)) s)"
}

driver() {
    [ $# = 1 ] || fail 2 "Which version?" "ci/sandbox driver 550.163.01"
    reboot --driver "$1"
}

nodes() {
    [[ $# = 1 && $1 =~ ^(lose|make)$ ]] || fail 2 "lose or make?" "ci/sandbox nodes make"
    require_gpu_host
    gpu_host nodes "$1"
}
