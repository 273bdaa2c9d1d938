# shellcheck shell=bash disable=SC2034 # those who source this use the variables
# How the scripts beside this file speak: timed steps, a log of everything, errors with a way out.
# Sourced, never run. The caller sets `log` (a file) before its first step.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
changes=0        # steps that changed something
current_step=""  # for the message when all ends early
ticker=""        # the process that shows a running clock

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ -z "${CI:-}" ]; then
    live=yes bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' dim=$'\e[2m' plain=$'\e[0m'
else
    live="" bold="" red="" green="" dim="" plain=""
fi

say() { printf '%s\n' "$*"; }

# fail EXIT BRIEF [NEXT]: the form of every error of this project.
fail() {
    printf '%s%s%s\n' "$red" "$2" "$plain" >&2
    if [ -n "${3:-}" ]; then printf 'Next: %s\n' "$3" >&2; fi
    exit "$1"
}

have() { command -v "$1" >/dev/null 2>&1; }

as_root() { # as_root COMMAND-LINE: how it is typed here by somebody who may; not all have sudo
    if [ "$(id -u)" = 0 ]; then
        printf '%s' "$1"
    elif have sudo; then
        printf 'sudo %s' "$1"
    else
        printf "su -c '%s'" "$1"
    fi
}

require_root() { # require_root COMMAND-LINE
    [ "$(id -u)" = 0 ] || fail 2 "This needs root." "$(as_root "$1")"
}

systemd_runs() { [ -d /run/systemd/system ]; }

# have_own_lock NAME: opens it as number 9, in a directory where root alone makes files, and sets
# own_lock to its path. In /run/lock, every account of the server may put a link in the way.
have_own_lock() {
    local place=/run/labstamp
    mkdir -m 700 "$place" 2>/dev/null || true
    [ "$(stat -c %F:%u:%a "$place" 2>/dev/null)" = directory:0:700 ] ||
        fail 2 "$place is not a directory of root's alone, with the mode 700." "mv $place $place.old"
    own_lock=$place/$1
    exec 9>>"$own_lock"
}

# open_log NAME: everything steps say goes to logs/NAME-<time>.log; the ten newest are kept.
# They are for their owner: programs print what they are given.
open_log() {
    local old
    [ -d "$root/logs" ] || mkdir -m 700 "$root/logs"
    if [ -O "$root/logs" ] || [ "$(id -u)" = 0 ]; then chmod 700 "$root/logs"; fi
    log="$root/logs/$1-$(date +%Y%m%d-%H%M%S).log"
    [ ! -e "$log" ] || log=${log%.log}-$$.log
    # Made, not opened: nothing that lies there is written to.
    (umask 077 && set -C && : >"$log") || fail 2 "$log cannot be written."
    find "$root/logs" -maxdepth 1 -name "$1-*.log" | sort -r | tail -n +11 | while read -r old; do
        rm -f "$old"
    done
    step_note=$(mktemp)
}

# give_to PERSON PLACE…: what root has made there. A file with a second name elsewhere is somebody's
# own, and what links lead to is not there.
give_to() {
    local person=$1
    shift
    find -P "$@" -user root ! \( -type f -links +1 \) -exec chown -h "$person:" {} + 2>/dev/null || true
}

# close_log: to be called on the way out, whatever the way.
close_log() {
    _stop_ticker
    rm -f "$step_note"
}

# Inside a step: what it found or did, appended to its line.
note() { printf '%s' "$*" >"$step_note"; }
# The same for a step that found everything in place.
unchanged() { printf '=%s' "$*" >"$step_note"; }

_line() { # _line SECONDS MARK TITLE NOTE
    [ -z "$live" ] || printf '\r\e[K'
    printf '[%3d s] %s%s%s%s\n' "$1" "$2" "$3" "${4:+: $4}" "$plain"
}

_tick() { # the running clock on a terminal
    local began=$SECONDS width
    width=$(($(tput cols 2>/dev/null || echo 80) - 12))
    while kill -0 $$ 2>/dev/null; do
        printf '\r[%3d s] %s%s%s' $((SECONDS - began)) "$dim" "${1:0:width}" "$plain"
        sleep 1
    done
}

_stop_ticker() {
    [ -n "$ticker" ] || return 0
    kill "$ticker" 2>/dev/null || true
    wait "$ticker" 2>/dev/null || true
    ticker=""
}

# step TITLE COMMAND…: run it with its output in the log, print one line with the seconds.
# The command may be a function; it runs in a subshell under `set -e`.
step() {
    local title=$1 began=$SECONDS code=0 found mark="" lines
    shift
    current_step=$title
    : >"$step_note"
    lines=$(wc -l <"$log")
    printf '\n== %s: %s\n' "$title" "$*" >>"$log"
    if [ -n "$live" ]; then
        _tick "$title" &
        ticker=$!
    fi
    # Not `if (…)`: a condition would switch `set -e` off inside.
    set +e
    (set -e; "$@") >>"$log" 2>&1 </dev/null
    code=$?
    set -e
    _stop_ticker
    found=$(cat "$step_note")
    if [ "$code" -ne 0 ]; then
        _line $((SECONDS - began)) "$red" "$title" "failed (exit $code)"
        {
            say "The last lines of $log:"
            tail -n "+$((lines + 3))" "$log" | tail -n 25 | sed 's/^/  /'
        } >&2
        exit "$code"
    fi
    if [ "${found:0:1}" = "=" ]; then
        found=${found:1} mark=$dim
    else
        changes=$((changes + 1))
    fi
    _line $((SECONDS - began)) "$mark" "$title" "$found"
    current_step=""
}

# attended COMMAND…: in the background, so that a signal to this script is heard at once. Ctrl-C on a
# terminal reaches both; shells have background jobs ignore it.
attended() {
    env --default-signal=INT,QUIT "$@" </dev/null &
    wait $!
}

# interrupted EXIT [SIGNAL]: for traps. What is at work gets SIGNAL, ends in its own way, then we do.
interrupted() {
    local job
    trap '' INT TERM HUP
    _stop_ticker
    for job in $(jobs -pr); do
        [ -z "${2:-}" ] || kill "-$2" "$job" 2>/dev/null || true
        wait "$job" || true
    done
    exit "$1"
}

heed_signals() {
    trap 'interrupted 130' INT
    trap 'interrupted 143 TERM' TERM
    trap 'interrupted 129 TERM' HUP
}

# tried TITLE COMMAND…: like step, for a program whose own output people should see, and whose
# failure is not the end: its exit code is ours.
tried() {
    local title=$1 began=$SECONDS code=0
    shift
    current_step=$title
    printf '%s%s%s\n' "$bold" "$title" "$plain"
    printf '\n== %s: %s\n' "$title" "$*" >>"$log"
    attended "$@" || code=$?
    if [ "$code" -ne 0 ]; then
        _line $((SECONDS - began)) "$red" "$title" "failed (exit $code)" >&2
        return "$code"
    fi
    _line $((SECONDS - began)) "" "$title" "done"
    current_step=""
}

# shown TITLE COMMAND…: the same, and its failure is the end.
shown() {
    local code=0
    tried "$@" || code=$?
    [ "$code" = 0 ] || exit "$code"
}

# shellcheck source=ci/owner.sh
. "$root/ci/owner.sh"
