#!/bin/sh
# Resolves the host of the first apt mirror; an address in its place needs no resolving.
set -eu
host=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
    sed -n 's|^[^#]*https\{0,1\}://\([^/: ]*\).*|\1|p' | head -n 1)
[ -n "$host" ] || { echo 'the apt sources name no host' && exit 1; }
getent ahosts "$host" | head -n 1
getent ahosts "$host" >/dev/null
