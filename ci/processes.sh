# shellcheck shell=bash disable=SC2154 # ci/sandbox sets the variables
# Who is who in /proc: the LXD of one LXD_DIR, its containers and servants, lxcfs.
# Sourced by ci/sandbox, which sets dir, default_dir and lxcfs_dir.

here=$(readlink /proc/self/ns/pid)

# each_process VISITOR: calls it with pid and argv of each process of LXD in our own PID namespace
# (containers may hold an LXD or a dnsmasq of their own).
each_process() {
    local entry argv
    for entry in /proc/[0-9]*; do
        readarray -d '' -t argv 2>/dev/null <"$entry/cmdline" || continue
        # First what costs nothing: hundreds of processes of containers have other names.
        [[ ${argv[*]} =~ lxd|lxc|dnsmasq ]] || continue
        [ "$(readlink "$entry/ns/pid" 2>/dev/null)" = "$here" ] || continue
        "$1" "${entry#/proc/}" "${argv[@]}"
    done 2>/dev/null
}

lxd_dir_of() { # the LXD_DIR a process was started with
    local found
    found=$(tr '\0' '\n' <"/proc/$1/environ" 2>/dev/null | sed -n 's/^LXD_DIR=//p')
    realpath -ms "${found:-$default_dir}"
}

is_lxd() { [[ $(readlink "/proc/$1/exe") =~ /lxd(\ \(deleted\))?$ ]]; }
_daemon() { # any LXD daemon: `lxd` with options only
    # Monitors are the same program under another name.
    if [[ ${2##*/} == lxd && ${3:---} == --* ]] && is_lxd "$1"; then
        printf '%s %s\n' "$1" "$(lxd_dir_of "$1")"
    fi
}
daemon_pid() { each_process _daemon | awk -v dir="$dir" '$2 == dir { print $1; exit }'; }
other_daemons() { each_process _daemon | awk -v dir="$dir" '$2 != dir { print $1 }'; }

_monitor() { if [[ $2 == "[lxc monitor] "* ]]; then printf '%s %s\n' "$1" "$2"; fi; }
all_monitors() { each_process _monitor; }
monitors() { all_monitors | awk -v at="$dir/" 'index($4, at) == 1 { print $1 }'; }

_servant() { # dnsmasq, forkdns, forkproxy … of a daemon in DIR
    case ${2##*/} in
        dnsmasq) if [[ "$*" == *"=$dir/networks/"* ]]; then echo "$1"; fi ;;
        *) if [[ ${3:-} == fork* ]] && is_lxd "$1" && [ "$(lxd_dir_of "$1")" = "$dir" ]; then
            echo "$1"
        fi ;;
    esac
}
servants() { each_process _servant; }

_lxcfs() { if [[ ${2##*/} == lxcfs && " $* " == *" $lxcfs_dir "* ]]; then echo "$1"; fi; }
lxcfs_pids() { each_process _lxcfs; }

# ended SECONDS PID…: whether all of them are gone within SECONDS.
ended() {
    local tries=$(($1 * 10)) pid
    shift
    for pid in "$@"; do
        while [ -e "/proc/$pid" ] && [[ $(cat "/proc/$pid/stat" 2>/dev/null) != *") Z "* ]]; do
            [ $((tries--)) -gt 0 ] || return 1
            sleep 0.1
        done
    done
}

# end SECONDS PID…: ask, wait, then force.
end() {
    local patience=$1
    shift
    [ $# -gt 0 ] || return 0
    kill -TERM "$@" 2>/dev/null || true
    if ! ended "$patience" "$@"; then
        kill -KILL "$@" 2>/dev/null || true
        ended 5 "$@" || true
    fi
}
