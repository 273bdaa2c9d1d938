#!/bin/sh
# check-docker.sh WHAT: docker does WHAT (settings, run, limits, mount, build, compose, publish or cards).
# No registry is asked: the image is made of this system's shell, perl and what they link to.
set -eu

image=labstamp-check:latest
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

have_image() {
    ! docker image inspect "$image" >/dev/null 2>&1 || return 0
    mkdir "$place/root" "$place/root/tmp"
    for program in /bin/sh /usr/bin/perl; do
        cp --parents -L "$program" "$place/root"
        ldd "$program" | sed -n 's|[^/]*\(/[^ ]*\).*|\1|p' | while read -r library; do
            cp --parents -L "$library" "$place/root"
        done
    done
    # What nvidia-smi links to, where there is one; libc has to be the image's own.
    ! smi=$(command -v nvidia-smi) || ldd "$smi" 2>/dev/null | sed -n 's|[^/]*\(/[^ ]*\).*|\1|p' |
        while read -r library; do cp --parents -L "$library" "$place/root"; done
    # Where modules such as IO::Socket are; on every Debian and Ubuntu.
    cp -r --parents "$(dirname "$(perl -MConfig -e 'print $INC{"Config.pm"}')")" "$place/root"
    tar -C "$place/root" -c . | docker import - "$image" >/dev/null
    rm -rf "$place/root"
}

settings() {
    have_image
    docker create --name labstamp-settings "$image" /bin/sh >/dev/null
    files='{{index .Config "max-file"}} of {{index .Config "max-size"}}'
    logs=$(docker inspect labstamp-settings \
        --format "{{with .HostConfig.LogConfig}}{{.Type}}, at most $files{{end}}")
    docker rm labstamp-settings >/dev/null
    [ "$(docker info --format '{{.LiveRestoreEnabled}}')" != true ] || logs="$logs, live-restore"
    echo "$logs"
}

run() {
    have_image
    docker run --rm "$image" /bin/sh -c 'echo hello from docker'
}

# What the pages of NVIDIA's images tell people to give: locked memory and stack, and shared memory
# in either way. There is as much to lock as this system has, see docker-limits.sh.
limits() {
    have_image
    most=$(awk '/^Max locked memory/ { print ($5 == "unlimited" ? $5 : $5 / 1024) }' /proc/1/limits)
    # shellcheck disable=SC2016
    given=$(docker run --rm --ulimit memlock=-1 --ulimit stack=67108864 --ipc=host "$image" \
        /bin/sh -c 'echo "$(ulimit -l) $(ulimit -s)"')
    [ "$given" = "$most 65536" ] || echo "memlock and stack are $given, wanted are $most 65536"
    # `docker exec` asks for them anew.
    docker run --detach --rm --name labstamp-limits --ulimit memlock=-1 --shm-size=1g "$image" \
        /usr/bin/perl -e 'sleep 60' >/dev/null
    # shellcheck disable=SC2016
    docker exec labstamp-limits /bin/sh -c 'while read -r _ at _ options _; do
        [ "$at" != /dev/shm ] || echo "shared memory $options"
    done </proc/mounts'
    docker rm --force labstamp-limits >/dev/null
}

mount() {
    have_image
    echo 'read outside' >"$place/given"
    docker run --rm --volume "$place:/mnt" "$image" \
        /bin/sh -c 'read -r given </mnt/given; echo "written inside, $given" >/mnt/answer'
    cat "$place/answer"
}

build() {
    have_image
    builder=buildx
    if ! docker buildx version >/dev/null 2>&1; then
        builder="the legacy builder"
        export DOCKER_BUILDKIT=0
    fi
    cat >"$place/Dockerfile" <<DOCKERFILE
FROM $image
COPY copied /copied
RUN read -r line </copied && echo "\$line, built by $builder" >/said
CMD ["/bin/sh", "-c", "read -r line </said; echo \\"\$line\\""]
DOCKERFILE
    echo 'hello from a Dockerfile' >"$place/copied"
    docker build --tag labstamp-built "$place" >"$place/log" 2>&1 || {
        tail -n 20 "$place/log"
        exit 1
    }
    docker run --rm labstamp-built
    docker rmi --force labstamp-built >/dev/null
}

compose() {
    if ! docker compose version >/dev/null 2>&1; then
        echo "docker compose is not packaged here"
        return
    fi
    have_image
    cat >"$place/compose.yaml" <<COMPOSE
services:
  hello:
    image: $image
    command: ["/bin/sh", "-c", "echo hello from compose"]
COMPOSE
    docker compose --project-name labstamp --file "$place/compose.yaml" run --rm hello
    docker compose --project-name labstamp --file "$place/compose.yaml" down 2>/dev/null
}

# Says its line to everyone who connects to port 8080 of this system.
publish() {
    have_image
    docker rm --force labstamp-publish >/dev/null 2>&1 || true
    docker run --detach --name labstamp-publish --publish 8080:80 "$image" /usr/bin/perl -MIO::Socket::INET -e '
        my $door = IO::Socket::INET->new(LocalPort => 80, Listen => 5, ReuseAddr => 1) or die $!;
        while (my $guest = $door->accept) {
            print $guest "hello from a published port\n";
            close $guest;
        }'
}

# The toolkit puts nvidia-smi and what it links to into the container; the image has neither.
cards() {
    if ! command -v nvidia-ctk >/dev/null; then
        echo "nothing to give on: the container toolkit is not installed"
    elif [ ! -e /proc/driver/nvidia/version ]; then
        echo "nothing to give on: no kernel module of NVIDIA's answers"
    elif ! ls /dev/nvidia[0-9]* >/dev/null 2>&1; then
        echo "nothing to give on: there is no GPU here"
    else
        have_image
        docker run --rm --gpus all "$image" nvidia-smi --list-gpus
    fi
}

case ${1:-} in
    settings | run | limits | mount | build | compose | publish | cards) "$1" ;;
    *) echo "usage: check-docker.sh settings|run|limits|mount|build|compose|publish|cards" && exit 2 ;;
esac
