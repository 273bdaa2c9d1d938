#!/bin/sh
# Docker as it is in the image: with the storage driver that fits the pool, and without the
# builder's identity. Runs once, in the builder of docker-nested.
set -eu

# Left to itself docker takes btrfs on btrfs, whose subvolumes are not counted in the
# container's quota: a container with 1.5 GiB was seen to write 2.5 GB. OpenZFS before 2.2
# cannot carry overlay2, there docker may choose.
if [ "$(stat -f -c %T /var/lib/docker)" = zfs ]; then
    sed -i '/"storage-driver"/d' /etc/docker/daemon.json
    systemctl restart docker.service
fi
docker info --format 'docker {{.ServerVersion}}, {{.Driver}}'

systemctl stop docker.service docker.socket containerd.service
# The key names this daemon; the rest is made anew at the first start.
rm -rf /var/lib/docker/* /var/lib/containerd/* /etc/docker/key.json
