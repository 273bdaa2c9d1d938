#!/bin/sh
# Where nvidia-container-toolkit is, docker knows its runtime and leaves the cgroups to LXD.
set -eu

version=$(dpkg-query --show --showformat '${Version}' nvidia-container-toolkit 2>/dev/null) || {
    echo "it is not installed, as the build's log says"
    exit 0
}
docker info --format '{{range $name, $_ := .Runtimes}}{{println $name}}{{end}}' | grep -qx nvidia || {
    echo "docker has no runtime nvidia"
    exit 1
}
grep -qx 'no-cgroups = true' /etc/nvidia-container-runtime/config.toml || {
    echo "no-cgroups is not set in /etc/nvidia-container-runtime/config.toml"
    exit 1
}
echo "$version, without cgroups"
