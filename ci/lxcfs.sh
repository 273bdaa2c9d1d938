# shellcheck shell=bash
# lxcfs, which all LXDs of the machine share: containers see their own memory and CPUs by it.
# Sourced by ci/sandbox.

: "${lxcfs_dir:?}" "${logs:?}"

lxcfs_works() {
    mountpoint -q "$lxcfs_dir" 2>/dev/null && timeout 5 cat "$lxcfs_dir/proc/uptime" >/dev/null 2>&1
}

unmount_lxcfs() { while grep -q " $lxcfs_dir fuse" /proc/self/mounts; do umount -l "$lxcfs_dir"; done; }

lxcfs_is_a_service() { systemd_runs && systemctl -q cat lxcfs.service >/dev/null 2>&1; }

start_lxcfs() {
    have lxcfs || return 0 # LXD works without: containers then see the host's memory and CPUs
    if lxcfs_works; then return; fi
    if lxcfs_is_a_service; then
        systemctl start lxcfs.service
        return
    fi
    # A dead one leaves "Transport endpoint is not connected", for mkdir as well.
    unmount_lxcfs
    local dead
    mapfile -t dead < <(lxcfs_pids)
    end 2 "${dead[@]}"
    mkdir -p "$lxcfs_dir"
    setsid lxcfs "$lxcfs_dir" </dev/null >>"$logs/lxcfs.log" 2>&1 8>&- 9>&- &
    local tries=50
    until lxcfs_works; do
        [ $((tries--)) -gt 0 ] || fail 4 "lxcfs does not start." "look at $logs/lxcfs.log"
        sleep 0.1
    done
    say "  lxcfs serves $lxcfs_dir"
}

stop_lxcfs() {
    local others pids
    if lxcfs_is_a_service; then return; fi # systemd's to stop
    others=$(other_daemons; all_monitors | cut -d' ' -f1)
    mapfile -t pids < <(lxcfs_pids)
    [ "${#pids[@]}" -gt 0 ] || return 0
    if [ -n "$others" ]; then
        say "  lxcfs stays: process $(head -n 1 <<<"$others") needs it"
        return
    fi
    end 5 "${pids[@]}"
    unmount_lxcfs
}
