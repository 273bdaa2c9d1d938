# shellcheck shell=bash disable=SC2034,SC2154 # variables from lib.sh, and for ci/test
# The LXDs of the tests, all below one directory: beside whatever LXD the machine has, which they
# leave alone. What a killed run left is recognised by that directory, and cleared by the next one.
# Sourced by ci/test.

# shellcheck source=ci/processes.sh
. "$root/ci/processes.sh"

place=$(realpath -ms "${TEST_LXD_DIR:-/var/lib/labstamp-test}")
place_mark=$place/.made-by-ci-test          # nothing is ever deleted where this is not
# Names of interfaces are the machine's, so another place has others; 15 characters are the most.
bridge=lt$(printf '%s' "$place" | md5sum | cut -c 1-8)
pool_gib=40                           # the most that the tests' pool grows to
room_gib=30                           # what a whole run was seen to write, and a reserve

# insist_on_a_daemon: one that can be started beside the server's. A snap has but one.
insist_on_a_daemon() {
    local found
    found=$(type -P lxd || true)
    if [[ $found == /snap/* ]] || { [ -z "$found" ] && [ "$distribution" != debian ]; }; then
        fail 2 "The tests run LXDs of their own beside the server's, and LXD as a snap has only one." \
            "ci/test --quick (all that needs no LXD), or all of it on Debian 12 or 13: a virtual machine will do"
    fi
}

# take_place: it is ours until this script and all that it started have ended.
take_place() {
    local runner
    # Sockets lie below it, and the path of one has at most 107 bytes.
    [ ${#place} -le 60 ] || fail 2 "TEST_LXD_DIR: $place is too long, 60 characters are the most."
    have_own_lock "test${place//\//-}" # in it: who works there
    if ! flock -n 9; then
        runner=$(cat "$own_lock")
        if tr '\0' ' ' 2>/dev/null <"/proc/$runner/cmdline" | grep -q "ci/test"; then
            fail 4 "Another ci/test works in $place: process $runner." \
                "wait for its end, or have a place of its own: TEST_LXD_DIR=/another/directory ci/test"
        fi
        end_orphans
        flock -w 10 9 || fail 4 "$place is in use, by what is left of a killed ci/test." "end it: fuser -v $own_lock"
    fi
    echo $$ >"$own_lock"
    if [ ! -e "$place_mark" ] && [ -n "$(ls -A "$place" 2>/dev/null)" ]; then
        fail 2 "$place is not the tests' own: it holds what they did not make." \
            "have another one: TEST_LXD_DIR=/another/directory ci/test"
    fi
    mkdir -p "$place"
    : >"$place_mark"
    taken=yes
}

# What is still at work for a run that was killed: pytest, and commands that it started. Daemons
# are shut down in order later; lxcfs serves every LXD of the machine, and stays.
orphans() {
    local entry pid
    for entry in /proc/[0-9]*; do
        pid=${entry#/proc/}
        [ "$pid" != $$ ] && [ "$pid" != "$BASHPID" ] || continue
        [ "$(readlink "$entry/ns/pid")" = "$here" ] || continue
        tr '\0' '\n' <"$entry/environ" | awk -v at="LXD_DIR=$place/" \
            'index($0 "/", at) == 1 { found = 1 } END { exit !found }' || continue
        case $(readlink "$entry/exe") in */lxd | */lxd\ * | */lxcfs | */dnsmasq) continue ;; esac
        echo "$pid"
    done 2>/dev/null
}

end_orphans() {
    local left
    mapfile -t left < <(orphans)
    [ "${#left[@]}" -gt 0 ] || return 0
    say "Ending what a killed ci/test left at work: process ${left[*]}"
    end 20 "${left[@]}"
}

# clear_place: nothing of the tests runs, is mounted or lies there afterwards.
clear_place() {
    local one
    end_orphans
    for one in "$place"/*/ "$place"/*/*/; do
        [ -d "$one/database" ] || continue
        LXD_DIR=${one%/} "$root/ci/sandbox" stop
    done
    if grep -q " $place/" /proc/self/mounts; then
        say "Still mounted:" >&2
        grep " $place/" /proc/self/mounts >&2
        return 1
    fi
    find "$place" -xdev -mindepth 1 -delete
    # Of an LXD that was killed, and whose data is gone: the next one would take it for somebody's.
    for one in "$bridge"{a,b,c}{,b}; do
        ip link delete "$one" type bridge 2>/dev/null || true
    done
}

clear_leftovers() {
    if [ -z "$(find "$place" -mindepth 1 ! -path "$place_mark" -print -quit)" ]; then
        unchanged "nothing left by an earlier run"
        return
    fi
    clear_place
    : >"$place_mark"
    note "what a killed run left in $place"
}

leave_place() {
    local locks=/var/lib/labstamp/locks own=${place#/}
    clear_place && { rmdir "$place" 2>/dev/null || true; }
    # Of the LXDs that were here; what is held is not empty.
    [ ! -d "$locks" ] || find "$locks" -mindepth 1 -maxdepth 1 -name "${own//\//-}-*" -empty -delete
}

insist_on_room() {
    local free
    free=$(($(df --output=avail -B1 "$place" | tail -n 1) / 1024 ** 3))
    [ "$free" -ge "$room_gib" ] ||
        fail 3 "The tests need $room_gib GiB in $place; $free GiB are free there." \
            "free some space, or: TEST_LXD_DIR=/directory/on/another/disk ci/test"
}

# start_lxd_of PART LETTER: another one, without GPUs, for a part of the tests that wants none
# (tests/support/parts.py). LETTER: of its bridge.
start_lxd_of() {
    environment_of "$1"
    mkdir -p "$place/$1/client"
    echo "network: $bridge$2" >"$place/$1/lab.yaml"
    step "start an LXD without GPUs for the part $1" _start_lxd_of "$1"
}

# environment_of PART: what its process is given, in `environment`.
environment_of() {
    environment=("TEST_PART=$1" "TEST_LXD_DIR=$place/$1" "LXD_DIR=$place/$1/lxd" "LXD_CONF=$place/$1/client")
}

_start_lxd_of() {
    export "${environment[@]}"
    _start_own_lxd "${@:2}"
    LAB_SETTINGS=$place/$1/lab.yaml invoke host.setup --only-lxd
}

# start_own_lxd: with a pool and a bridge that are the tests' alone, and cards that are simulated.
# What the person has set for their own lxc (a remote, a project) is not what is to be tested.
start_own_lxd() { # OPTION… of ci/sandbox
    export TEST_LXD_DIR=$place LXD_DIR=$place/lxd LXD_CONF=$place/client
    mkdir -p "$LXD_CONF"
    echo "network: ${bridge}a" >"$place/lab.yaml"
    step "start an LXD of the tests' own in $place" _start_own_lxd "$@"
    # --only-lxd: the machine's own files and kernel are the server's.
    step "host.setup" env "LAB_SETTINGS=$place/lab.yaml" invoke host.setup --only-lxd
}

_start_own_lxd() {
    "$root/ci/sandbox" start "$@"
    # Sparse. host.setup would count on most of the disk, as others on this machine may do.
    lxc storage create default btrfs "size=${pool_gib}GiB"
    note "LXD $(lxd --version)"
}
