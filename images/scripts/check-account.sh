#!/bin/sh
# Prints what keeps people from being given this image: sh check-account.sh ACCOUNT UID GROUP…
# The account was made at the first boot, by the text that makes users' own (lab/cloudinit/account.py).
set -u
account=$1 uid=$2
shift 2

named() { # DATABASE: who has the number
    getent "$1" "$uid" | cut -d: -f1
}

if [ "$(id -u "$account" 2>/dev/null)" != "$uid" ]; then
    for database in passwd group; do
        other=$(named "$database")
        [ "${other:-$account}" = "$account" ] ||
            echo "$uid in $database is $other, and has to be free for the user's account"
    done
    echo "the user's account was not made with the uid $uid"
    exit 0
fi
[ "$(id -g "$account")" = "$uid" ] || echo "the account's group is $(id -gn "$account"), not its own"
for group; do
    id -nG "$account" | tr ' ' '\n' | grep -qxF "$group" || echo "the account is not in the group $group"
done
home=$(getent passwd "$account" | cut -d: -f6)
[ "$(stat -c %u:%g "$home" 2>/dev/null)" = "$uid:$uid" ] || echo "$home does not belong to the account"
sshd=$(command -v sshd || echo /usr/sbin/sshd)
# It answers nothing without this, which socket activation makes for a connection only.
mkdir -p /run/sshd
"$sshd" -T -C "user=$account,host=localhost,addr=127.0.0.1" 2>&1 |
    grep -qi '^authorizedkeysfile .*/etc/ssh/labstamp/keys/' ||
    echo "sshd does not read the keys that people are given (AuthorizedKeysFile)"
if ! command -v sudo >/dev/null; then
    echo "sudo is not installed"
elif ! runuser -u "$account" -- sudo -n true >/dev/null 2>&1; then
    echo "sudo does not let the account be root"
fi

listens() { # on port 22, by the kernel's tables
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        awk '$2 ~ /:0016$/ && $4 == "0A" { found = 1 } END { exit !found }'
}
for _ in $(seq 60); do
    ! listens || exit 0
    sleep 0.5
done
echo "no ssh server listens on port 22"
