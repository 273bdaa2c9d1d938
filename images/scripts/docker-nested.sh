#!/bin/sh
# Docker as it is in the image: proven to start, and without the builder's identity.
# Runs once, in the builder of docker-nested, after docker-storage.sh.
set -eu

mkdir -p /etc/systemd/system/docker.service.d
cat >/etc/systemd/system/docker.service.d/50-labstamp.conf <<'UNIT'
[Service]
# Before the first start in a pool of another kind than the builder's.
ExecStartPre=/usr/local/lib/labstamp/docker-storage
UNIT
systemctl daemon-reload
systemctl restart docker.service

wanted=$(sed -n 's/.*"storage-driver": "\([^"]*\)".*/\1/p' /etc/docker/daemon.json)
docker info --format '+ docker: {{.ServerVersion}} runs with {{.Driver}}'
[ "$(docker info --format '{{.Driver}}')" = "$wanted" ] || {
    echo "docker does not use $wanted, the storage driver of /etc/docker/daemon.json"
    exit 1
}

# shellcheck source=/dev/null
. /etc/os-release
for plugin in buildx compose; do
    if docker "$plugin" version >/dev/null 2>&1; then
        echo "+ docker: with $plugin, $(docker "$plugin" version | head -n 1)"
    else
        echo "+ docker: without $plugin, $PRETTY_NAME has no package of it for docker"
    fi
done

systemctl stop docker.service docker.socket containerd.service
# The key names this daemon; the rest is made anew at the first start.
rm -rf /var/lib/docker/* /var/lib/containerd/* /etc/docker/key.json
