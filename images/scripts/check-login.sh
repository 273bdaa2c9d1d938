#!/bin/sh
# check-login.sh locale|display: what whoever logs in over ssh meets, by an account of its own.
set -eu

account=labstamp-login
place=$(mktemp -d)
forget() {
    rm -rf "$place"
    userdel --force --remove "$account" >/dev/null 2>&1 || true
}
trap forget EXIT
forget
mkdir "$place"
useradd --create-home --shell /bin/bash "$account"
home=$(getent passwd "$account" | cut -d: -f6)
ssh-keygen -q -t ed25519 -N '' -f "$place/key"
install -d -m 700 -o "$account" "$home/.ssh"
install -m 600 -o "$account" "$place/key.pub" "$home/.ssh/authorized_keys"

log_in() { # OPTION… COMMAND
    ssh -F none -i "$place/key" -o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=10 \
        -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
        -l "$account" "$@"
}

# One that exists in no image, one that macOS sends, and one of our own users' machines.
locale() {
    for name in tlh_KL.UTF-8 UTF-8 zh_CN.UTF-8; do
        said=$(LC_ALL=$name LC_CTYPE=$name log_in -o SendEnv='LC_* LANG' localhost 'perl -e 1' 2>&1) || true
        [ -z "$said" ] || { echo "with $name: $said" && exit 1; }
    done
}

# No X server is needed: ssh makes the display, and xauth the cookie for it.
display() {
    # shellcheck disable=SC2016
    said=$(DISPLAY=:0 log_in -Y localhost 'echo "$DISPLAY"; xauth list "$DISPLAY"' 2>&1) || true
    case $said in
        *localhost:*MIT-MAGIC-COOKIE-1*) ;;
        *) echo "no display, or none that lets in: $said" && exit 1 ;;
    esac
}

case ${1:-} in
    locale | display) "$1" ;;
    *) echo "usage: check-login.sh locale|display" && exit 2 ;;
esac
