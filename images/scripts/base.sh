#!/bin/sh
# What cloud-init has no key for. Runs once, in the builder of base.
set -eu

# Written by cloud-init/base.yaml.j2 where a locale other than C.UTF-8 is wanted.
if [ -f /etc/locale.gen ] && grep -q '^[a-z]' /etc/locale.gen; then
    locale-gen
fi

# A firewall that is on would keep users out; they turn it on when they have set it up.
ufw --force disable

passwd --lock root >/dev/null

# No binfmt_misc in containers: it would leave every one of them "degraded".
systemctl mask systemd-binfmt.service
