#!/bin/sh
# Names what a builder left in an image, a line each; run in a fresh instance of it.
# Silence means clean. What the instance's own first boot makes anew is not looked at.
set -u

said() { [ -e "$1" ] && printf '%s\n' "$1"; }

find /var/lib/apt/lists -type f ! -name lock 2>/dev/null
find /var/cache/apt/archives -name '*.deb' 2>/dev/null
for path in /root/.bash_history /root/.labstamp \
    /etc/apt/apt.conf.d/90labstamp-builder /etc/apt/auth.conf.d/90labstamp-builder.conf \
    /var/log/installer \
    /var/cache/labstamp-pack; do
    said "$path"
done
# Empty, it is made by daemons of this boot (accounts-daemon, udisks).
find /root/.cache -type f 2>/dev/null
# Seeds and instances of the build; this boot's own instance is the one that `instance` names.
find /var/lib/cloud/instances -mindepth 1 -maxdepth 1 2>/dev/null |
    grep -vx "$(readlink -f /var/lib/cloud/instance)"
find /var/lib/cloud/seed -type f 2>/dev/null
# A build's log would have more than one boot in it.
if [ "$(grep -c 'running .init-local.' /var/log/cloud-init.log 2>/dev/null)" -gt 1 ]; then
    echo '/var/log/cloud-init.log of the builder'
fi
true
