"""Who works on GPUs in a container: what must not be disturbed by a driver update."""

from __future__ import annotations

from lab.errors import LxdError, LxdUnreachable, TooMuch
from lab.lxd.port import Lxd
from lab.machine.container_processes import users_of

_NODES = "/dev/nvidia"
# Of a process that ends meanwhile `find` complains and finds no more, which is true.
_SCAN = f"""\
find /proc/[0-9]*/fd -maxdepth 1 -lname '{_NODES}*' 2>/dev/null | cut -d/ -f3 | sort -nu |
while read -r pid; do
    read -r name <"/proc/$pid/comm" && echo "$name ($pid)"
done 2>/dev/null
true
"""
_SHOWN = 3


def running(lxd: Lxd, name: str) -> tuple[str, ...]:
    """The processes inside that hold a node of NVIDIA's open, as `python3 (4711)`.

    Numbers are those that `ps` shows inside; containers in the container count. Told by the
    host's kernel, where it is at hand and we are root; else by a command inside, which can only
    be believed as far as its user can.
    """
    found = _from_outside(lxd, name)
    if found is None:
        found = _from_inside(lxd, name)
    more = len(found) - _SHOWN
    return (*found[:_SHOWN], f"{more} more") if more > 0 else found


def _from_outside(lxd: Lxd, name: str) -> tuple[str, ...] | None:
    init = lxd.init_pid(name)
    if init is None:
        return None
    try:
        return users_of(init, _NODES)
    except FileNotFoundError:
        return ()  # it stopped
    except PermissionError:
        return None
    except TooMuch as error:
        return (error.brief,)


def _from_inside(lxd: Lxd, name: str) -> tuple[str, ...]:
    try:
        said = lxd.run(name, ["sh", "-c", _SCAN], timeout=30)
    except LxdUnreachable:
        raise
    except LxdError:
        # It stopped, or cannot be entered: the next step reports that better.
        return ()
    return tuple(said.stdout.splitlines())
