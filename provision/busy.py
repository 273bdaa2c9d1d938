"""Who works on cards inside a container: what must not be disturbed by a driver update."""

from __future__ import annotations

from lab.errors import LabError
from lab.lxd.port import Lxd

# Of a process that ends meanwhile `find` complains and finds no more, which is true.
_SCAN = """\
find /proc/[0-9]*/fd -maxdepth 1 -lname '/dev/nvidia*' 2>/dev/null | cut -d/ -f3 | sort -nu |
while read -r pid; do
    read -r name <"/proc/$pid/comm" && echo "$name ($pid)"
done 2>/dev/null
true
"""
_SHOWN = 3


def at_work(lxd: Lxd, name: str) -> tuple[str, ...]:
    """The processes inside that hold a node of NVIDIA's open, as `python3 (4711)`.

    Numbers are those that `ps` shows inside. One round trip; containers in the container count.
    """
    try:
        said = lxd.run(name, ["sh", "-c", _SCAN], timeout=30)
    except LabError:
        # It stopped, or cannot be entered: whatever comes next says so better.
        return ()
    found = said.stdout.splitlines()
    more = len(found) - _SHOWN
    return (*found[:_SHOWN], f"{more} more") if more > 0 else tuple(found)
