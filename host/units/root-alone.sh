#!/bin/sh
# Made by labstamp. Run at boot before the driver hook, as root's own copy: it has to judge a
# checkout before anything in it runs.
#
#   root-alone.sh PATH...
#
# Fails, and names the first path, where an account other than root may write one of PATH, what is in
# it, what it lies in, or what it leads to. lab/machine/ownership.py looks closer, once it may run.
set -eu

judge() {
    place=$1
    set -- \( ! -uid 0 -o ! -type l \( -perm -002 -o -perm -020 ! -gid 0 \) \) -print
    found=$(find -H "$place" -path "$place/.git/objects" -prune -o "$@" -quit)
    until [ -n "$found" ] || [ "$place" = / ]; do
        place=$(dirname "$place")
        # In /tmp and the like, nobody can move away what is root's.
        found=$(find "$place" -prune ! \( -perm -1000 -uid 0 \) "$@")
    done
    [ -z "$found" ] || {
        echo "Another account than root may write $found: $(ls -ld "$found")" >&2
        exit 1
    }
}

for path; do
    [ -e "$path" ] || continue
    judge "$path"
    judge "$(readlink -f "$path")"
done
