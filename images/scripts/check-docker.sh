#!/bin/sh
# Runs a container of an image that is made here, of the shell and what it links to.
set -eu
root=$(mktemp -d)
image=labstamp-check:latest
trap 'docker rmi --force "$image" >/dev/null 2>&1; rm -rf "$root"' EXIT

cp --parents -L /bin/sh "$root"
ldd /bin/sh | sed -n 's|[^/]*\(/[^ ]*\).*|\1|p' | while read -r library; do
    cp --parents -L "$library" "$root"
done
tar -C "$root" -c . | docker import - "$image" >/dev/null
docker run --rm "$image" /bin/sh -c 'echo hello from docker'
