#!/bin/sh
# Chooses docker's storage driver by what this file system carries: overlay2, else
# fuse-overlayfs, never vfs. Runs in the builder of docker-nested, and in every container before
# docker's first start: the same image may be stamped into pools of different kinds.
set -eu

data=/var/lib/docker
settings=/etc/docker/daemon.json

if [ "$(dirname "$0")" = /run/labstamp ]; then
    install -D -m 755 "$0" /usr/local/lib/labstamp/docker-storage
fi
# Under another driver docker would not find the images that it has.
[ ! -d "$data/image" ] || exit 0
# Anything else is the choice of whoever wrote it there.
grep -Eq '"storage-driver": "(overlay2|fuse-overlayfs)"' "$settings" || exit 0

# carries OPTIONS COMMAND…: mounts two layers under a third and changes both.
carries() {
    trial=$(mktemp -d "$data/trial-XXXXXX")
    mkdir -p "$trial/low/directory" "$trial/lower" "$trial/up" "$trial/work" "$trial/all"
    touch "$trial/lower/file"
    options="$1lowerdir=$trial/low:$trial/lower,upperdir=$trial/up,workdir=$trial/work"
    shift
    works=""
    if "$@" -o "$options" "$trial/all" 2>/dev/null; then
        if rm "$trial/all/file" && touch "$trial/all/directory/file" &&
            [ ! -e "$trial/all/file" ] && [ -e "$trial/up/directory/file" ]; then
            works=yes
        fi 2>/dev/null
        umount "$trial/all"
    fi
    rm -rf "$trial"
    [ -n "$works" ]
}

mkdir -p "$data"
system=$(stat -f -c %T "$data")
# In a user namespace overlay keeps its marks in attributes of users (Linux 5.11 and later).
if carries userxattr, mount -t overlay overlay || carries "" mount -t overlay overlay; then
    chosen=overlay2
    why="overlay works there"
    # Left to itself docker takes its btrfs driver, whose subvolumes are not counted in the
    # container's quota: a container with 1.5 GiB was seen to write 2.5 GB.
    [ "$system" != btrfs ] || why="docker's own choice, btrfs, would escape the disk quota"
elif carries "" fuse-overlayfs; then
    chosen=fuse-overlayfs
    why="overlay does not work there, as on ZFS before 2.2"
else
    echo "docker: neither overlay nor fuse-overlayfs works on $system, and vfs would copy every" \
        "layer whole. Put the container into a pool of another kind." >&2
    exit 1
fi
sed -i "s/\"storage-driver\": \"[^\"]*\"/\"storage-driver\": \"$chosen\"/" "$settings"
echo "+ docker: storage driver $chosen on $system ($why)"
