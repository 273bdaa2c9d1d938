#!/bin/bash
# Packs the root file system into an image, as LXD would ("unified": metadata.yaml, templates/ and
# rootfs/ in one tarball), but with all cores, and what has not changed only once. Runs after clean.sh,
# in a builder at rest: nothing wakes up and writes meanwhile.
#
#   pack.sh body      keeps the body, packed, for the releases that are made of clones of it
#   pack.sh release   packs what a release has beside it
#
# A release is head, body and rest, one behind the other: a zstd file may consist of several, and of
# two entries of a tarball the later one counts. Exit code 3: it cannot be done here, LXD has to.
set -euo pipefail
export LC_ALL=C
work=/var/cache/labstamp-pack
body=$work/body.tar.zst
listing=$work/body.listing

# LXD would pack what is left here, too.
trap '[ $? = 0 ] || rm -rf "$work"' EXIT
command -v zstd >/dev/null || { echo 'zstd is not installed' && exit 3; }
mkdir -p "$work"
cd /

# What is mounted is the builder's own; an image has an empty directory in its place.
find_mounted() {
    local root place
    root=$(stat -c %d /)
    rm -rf "$work/places"
    mkdir "$work/places"
    pruned=(-path ".$work")
    while read -r _ _ _ _ place _; do
        [ "$place" != / ] || continue
        pruned+=(-o -path ".$place")
        # Mounts on mounts are not of this file system.
        [ "$(stat -c %d "${place%/*}/")" = "$root" ] || continue
        [ -d "$place" ] || { echo "$place is mounted, and is no directory" && exit 3; }
        mkdir -p "$work/places$place"
    done </proc/self/mountinfo
    (cd "$work/places" && find . -mindepth 1 -type d -empty -print0) >"$work/places.list"
}

# Each file with all that tells whether it changed. A clone on btrfs, ZFS or LVM keeps all of it.
list_files() {
    find . \( "${pruned[@]}" \) -prune -o ! -type s -printf '%y %m %U %G %s %T@ %C@ %p\0'
}
paths() { sed -z 's/^\([^ ]* \)\{7\}//'; }
types_and_paths() { sed -z 's/^\([^ ]*\) \([^ ]* \)\{6\}/\1 /' | sort -z; }

tarball() { # what to put in
    tar --create --file - --null --no-recursion --numeric-owner --xattrs --xattrs-include='*' \
        --transform 'flags=rSh;s,^\.,rootfs,' "$@"
}

# A tarball ends in zeros, after which no reader looks further.
without_end() {
    # shellcheck disable=SC2016
    perl -e '
        binmode STDIN; binmode STDOUT;
        my ($kept, $piece, $count) = ("", "");
        while ($count = sysread STDIN, $piece, 1 << 20) {
            $kept .= $piece;
            print substr($kept, 0, length($kept) - 65536, "") if length($kept) > 65536;
        }
        die "cannot read: $!" unless defined $count;
        $kept =~ s/(?:\0{512})+\z//;
        print $kept;
        close STDOUT or die "cannot write: $!";'
}
compressed() { zstd -q -T0 --force -o "$1"; }

pack_body() {
    rm -f "$body" "$listing"
    list_files >"$work/now"
    # In the order in which they were found, neighbours are alike, and pack better.
    paths <"$work/now" >"$work/list"
    # Directories come last, so that the zeros at the end are all of the tarball's own.
    tarball -C / -T "$work/list" -C "$work/places" -T "$work/places.list" | without_end |
        compressed "$body"
    sort -z "$work/now" >"$listing"
}

compare_with_body() {
    touch "$listing"
    list_files | sort -z >"$work/now"
    comm -z -13 "$listing" "$work/now" | paths | sort -z >"$work/list"
    types_and_paths <"$listing" >"$work/names-then"
    types_and_paths <"$work/now" >"$work/names-now"
    comm -z -23 "$work/names-then" "$work/names-now" >"$work/gone"
}
count() { tr -cd '\0' <"$1" | wc -c; }

# By adding to its body a release cannot say that a file is gone, or is a directory now.
is_an_addition() {
    [ -s "$body" ] && [ "$(count "$work/gone")" = 0 ] &&
        [ "$((2 * $(count "$work/list")))" -lt "$(count "$listing")" ]
}

pack_release() {
    mkdir -p "$work/head/templates"
    # Whoever reads an image goes through it until metadata.yaml comes: it is the first.
    (cd "$work/head" && printf 'metadata.yaml\0' && find templates -print0) >"$work/head.list"
    tarball -C "$work/head" -T "$work/head.list" | without_end | compressed "$work/head.tar.zst"

    compare_with_body
    echo "$(count "$work/list") of $(count "$listing") files changed or new," \
        "$(count "$work/gone") gone"
    if ! is_an_addition; then
        tr '\0' '\n' <"$work/gone" | sed -n '1,10p'
        echo 'packing it whole'
        pack_body
        : >"$work/list"
    fi
    tarball -C / -T "$work/list" | compressed "$work/rest.tar.zst"
}

find_mounted
"pack_$1"
