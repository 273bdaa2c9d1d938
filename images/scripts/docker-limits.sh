#!/bin/sh
# Limits that `docker run --ulimit` asks for: as much of them as this system may give.
#
# Nobody in a container can raise a limit above what its init was started with, and runc ends with
# "error setting rlimit type 8: operation not permitted". docker-nested asks LXD for an init without
# a limit of locked memory; some daemons cannot give that, and older containers were made without.
# So this stands before runc, and lowers what is asked for to what there is.
# In the builder of docker-nested it installs itself.
set -eu

if [ "$(dirname "$0")" = /run/labstamp ]; then
    install -D -m 755 "$0" /usr/local/sbin/runc
    for unit in docker containerd; do
        mkdir -p "/etc/systemd/system/$unit.service.d"
        printf '[Service]\n# For the containers that it starts; as much as there is.\nLimitMEMLOCK=infinity\n' \
            >"/etc/systemd/system/$unit.service.d/60-labstamp-limits.conf"
    done
    systemctl daemon-reload
    exit 0
fi

# What runc is about to read: the container's configuration, or the process that is to join it.
spec=config.json
before=
for word in "$@"; do
    case $before in
        --bundle | -b) spec=$word/config.json ;;
        --process | -p) spec=$word ;;
    esac
    case $word in
        --bundle=*) spec=${word#*=}/config.json ;;
        --process=*) spec=${word#*=} ;;
    esac
    before=$word
done

if [ -f "$spec" ] && grep -q '"rlimits"' "$spec"; then
    # Whatever goes wrong here, runc says it better.
    python3 - "$spec" <<'PYTHON' || true
import json
import resource
import sys

path = sys.argv[1]
with open(path) as file:
    spec = json.load(file)
for limit in (spec.get("process") or spec).get("rlimits") or ():
    number = getattr(resource, limit["type"], None)
    if number is None:
        continue
    wanted = [-1 if limit[which] >= 2**63 else limit[which] for which in ("soft", "hard")]
    try:
        resource.setrlimit(number, tuple(wanted))
    except (ValueError, OSError):
        most = resource.getrlimit(number)[1]
        for which in ("soft", "hard"):
            limit[which] = min(limit[which], most)
with open(path, "w") as file:
    json.dump(spec, file)
PYTHON
fi

here=$(readlink -f "$0")
IFS=:
for directory in $PATH /usr/sbin /usr/bin; do
    if [ -x "$directory/runc" ] && [ "$(readlink -f "$directory/runc")" != "$here" ]; then
        exec "$directory/runc" "$@"
    fi
done
echo "runc is not installed" >&2
exit 127
