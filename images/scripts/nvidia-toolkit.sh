#!/bin/sh
# Cards for docker's containers: nvidia-container-toolkit from the apt source that lab.yaml names.
# Where none is named, or nobody answers there, docker comes without, and the log says so.
# Runs once, in the builder of docker-nested, before docker's first start.
set -eu

name=nvidia-container-toolkit
# What cloud-init/docker.yaml.j2 wrote: NAME.sources, and NAME.key or NAME.key-url.
given=/run/labstamp/$name
source=/etc/apt/sources.list.d/$name.sources
said=$(mktemp)

skip() {
    rm -f "$source" "/usr/share/keyrings/$name".*
    echo "+ $name: skipped, $1"
    exit 0
}

# Nobody there is no fault of the image; anything else is a mistake in lab.yaml.
skip_or_fail() {
    why=$(grep -Eio -m 1 -e 'could not (connect|resolve).*' -e 'failed to connect.*' \
        -e 'temporary failure.*' -e '.*(refused|timed out|unreachable|no route).*' \
        -e '.*[ :]50[234]( .*)?$' "$said") && skip "$why"
    grep -e '^[WE]:' -e '^curl:' "$said" | head -n 3
    echo "$name cannot be had from the source that lab.yaml names for it."
    exit 1
}

[ -f "$given.sources" ] || skip "lab.yaml names no source of it"

if [ -f "$given.key-url" ]; then
    proxy=$(apt-config dump --format '%v%n' Acquire::http::Proxy)
    curl -fsSL --connect-timeout 15 --max-time 60 ${proxy:+--proxy "$proxy"} \
        -o "$given.key" "$(cat "$given.key-url")" 2>"$said" || skip_or_fail
fi
# apt tells armoured keys from bare ones by the name alone.
kind=gpg
! grep -q -e '-----BEGIN PGP' "$given.key" || kind=asc
install -m 644 "$given.key" "/usr/share/keyrings/$name.$kind"
{
    cat "$given.sources"
    echo "Signed-By: /usr/share/keyrings/$name.$kind"
} >"$source"

apt-get update -o APT::Update::Error-Mode=any -o APT::Get::List-Cleanup=false \
    -o Dir::Etc::SourceList="$source" -o Dir::Etc::SourceParts=- -o Acquire::Retries=0 \
    -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 >"$said" 2>&1 || skip_or_fail
apt-get install -y "$name" >"$said" 2>&1 || skip_or_fail
tail -n 3 "$said"

# The cgroups of an unprivileged container are not docker's to change; LXD guards the cards.
config=/etc/nvidia-container-runtime/config.toml
mkdir -p "$(dirname "$config")"
touch "$config"
if grep -Eq '^#? *no-cgroups *=' "$config"; then
    sed -i -E 's/^#? *no-cgroups *=.*/no-cgroups = true/' "$config"
elif grep -q '^\[nvidia-container-cli\]' "$config"; then
    sed -i '/^\[nvidia-container-cli\]/a no-cgroups = true' "$config"
else
    printf '[nvidia-container-cli]\nno-cgroups = true\n' >>"$config"
fi

# As `nvidia-ctk runtime configure --runtime=docker` would.
python3 - /etc/docker/daemon.json <<'PYTHON'
import json, pathlib, sys

path = pathlib.Path(sys.argv[1])
settings = json.loads(path.read_text())
nvidia = {"path": "nvidia-container-runtime", "args": []}
settings.setdefault("runtimes", {})["nvidia"] = nvidia
path.write_text(json.dumps(settings, indent=2) + "\n")
PYTHON
version=$(dpkg-query --show --showformat '${Version}' "$name")
echo "+ $name: $version, without cgroups; docker's runtime nvidia"
