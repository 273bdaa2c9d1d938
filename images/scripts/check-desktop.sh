#!/bin/sh
# check-desktop.sh PROGRAM…: a session starts for an account that has nothing but itself, with
# all PROGRAMs in it, and they are the same ones a while later. The account is labcheck, which
# every checked instance has; its password is random and locked again afterwards.
set -eu
account=labcheck
seconds=60

say() { printf '%s\n' "$*"; }
programs_of() { # the numbers of the PROGRAMs that run; fails when one is missing
    for program; do
        # The kernel keeps 15 letters of a name.
        pgrep -o -u "$account" -x "$(printf '%.15s' "$program")" || return 1
    done
}

cleanup() {
    passwd --quiet --lock "$account" >/dev/null 2>&1 || true
    loginctl terminate-user "$account" 2>/dev/null || true
}
trap cleanup EXIT

tell() { # why it is not there
    say "$1"
    ps -u "$account" -o args= | cut -c -60 | sort -u | tail -n 12
    tail -n 5 /var/log/xrdp-sesman.log
    exit 1
}

password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
printf '%s:%s\n' "$account" "$password" | chpasswd
if xrdp-sesrun --help 2>&1 | grep -q -- '-F <'; then
    printf '%s\n' "$password" | xrdp-sesrun -F 0 "$account" || tell 'sesman starts no session'
else
    # xrdp before 0.9.20 knows only the command line; the password is worth nothing a minute later.
    xrdp-sesrun 127.0.0.1 "$account" "$password" 1280 800 24 0 || tell 'sesman starts no session'
fi

waited=0
until found=$(programs_of "$@"); do
    [ $((waited += 1)) -le $seconds ] || tell "not all of $* in $seconds s"
    sleep 1
done
display=$(pgrep -a -u "$account" -x Xorg | sed -n 's/.* \(:[0-9]*\) .*/\1/p' | head -n 1)
home=$(getent passwd "$account" | cut -d: -f6)
window_manager() {
    runuser -u "$account" -- env DISPLAY="$display" XAUTHORITY="$home/.Xauthority" \
        xprop -root -notype _NET_SUPPORTING_WM_CHECK | grep -q 0x
}
until window_manager; do
    [ $((waited += 1)) -le $seconds ] || tell "no window manager on display $display"
    sleep 1
done
sleep 3
[ "$(programs_of "$@")" = "$found" ] || tell "one of $* died"
if pgrep -u "$account" -f gnome-session-failed; then tell 'GNOME says that something has gone wrong'; fi
say "a session with $* after $waited s"
