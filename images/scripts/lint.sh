#!/bin/sh
# Names what an image should not hold, a line each; run in a fresh instance of it.
# Silence means clean. What a builder leaves behind is looked for by leftovers.sh.
set -u

# Stubs that a GPU attached to a builder leaves (canonical/lxd#17877); nvidia-smi would say that
# the library is too short.
find /usr/bin /usr/lib /usr/local -xdev -type f -size 0 \
    \( -name '*nvidia*' -o -name 'libcuda*' -o -name 'libnv*' \) -printf '%p is empty\n' 2>/dev/null |
    sort

shipped() { # by a package; what is below /usr may be recorded without it
    dpkg-query --search "$1" >/dev/null 2>&1 || dpkg-query --search "${1#/usr}" >/dev/null 2>&1
}

# Links to nowhere. Some packages ship one on purpose, none of a driver does.
find /usr/bin /usr/sbin /usr/lib /usr/libexec /usr/local /opt -xdev -xtype l 2>/dev/null |
    sort | while read -r link; do
        case ${link##*/} in
            *nvidia* | libcuda*) ;;
            *) ! shipped "$link" || continue ;;
        esac
        echo "$link leads nowhere, to $(readlink "$link")"
    done
true
