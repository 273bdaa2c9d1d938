#!/bin/sh
# What cloud-init has no key for. Runs once, in the builder of base.
set -eu

# Of /etc/locale.gen, which cloud-init/base.yaml.j2 writes.
locale-gen

# Whoever logs in brings the names of their own machine's locales (ssh sends LANG and LC_*); where
# one is not there, as LC_CTYPE=UTF-8 of a Mac nowhere is, every program warns. Here LANG is that
# of /etc/default/locale, for everybody.
for file in /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*.conf; do
    [ ! -f "$file" ] || sed -i -E '/^\s*AcceptEnv\s/I {
        s/\s+(LANG|LANGUAGE|LC_[^ \t]*)//g
        s/^\s*AcceptEnv\s*$/# &: no locales (labstamp)/I
    }' "$file"
done

# A firewall that is on would keep users out; they turn it on when they have set it up.
ufw --force disable

passwd --lock root >/dev/null

# No binfmt_misc in containers: it would leave every one of them "degraded".
systemctl mask systemd-binfmt.service
# No LVM either: at each boot it would look for snapshots of disks to check.
systemctl mask e2scrub_reap.service
