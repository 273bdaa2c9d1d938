#!/bin/sh
# Installs the packages of /run/labstamp/driver and holds them: an `apt upgrade` in a container
# must never move the userland away from the host's kernel module (docs/architecture.md).
set -eu
cd /run/labstamp/driver
apt-get install --yes --no-install-recommends ./*.deb
for file in ./*.deb; do
    apt-mark hold "$(dpkg-deb --field "$file" Package)"
done
ldconfig
