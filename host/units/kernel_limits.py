"""Limits of the kernel that are set for one desktop, and what a server full of containers needs.

After LXD's guide for servers ("Server settings for a LXD production setup"), with more keys: all
containers of a host may share one range of ids, and each service and docker container takes one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from host.finding import Finding, Status
from host.machine import Machine
from host.units.files import MARK, HostFile, install_piece, missing_pieces

FILE: Final = "/etc/sysctl.d/60-labstamp.conf"
WANTED: Final[Mapping[str, int]] = MappingProxyType(
    {
        "fs.aio-max-nr": 524288,
        "fs.inotify.max_queued_events": 1048576,
        "fs.inotify.max_user_instances": 1048576,
        "fs.inotify.max_user_watches": 1048576,
        "kernel.keys.maxbytes": 20000000,
        "kernel.keys.maxkeys": 20000,
        "kernel.pid_max": 4194304,
        "net.core.bpf_jit_limit": 1000000000,
        "net.ipv4.neigh.default.gc_thresh3": 8192,
        "net.ipv6.neigh.default.gc_thresh3": 8192,
        "vm.max_map_count": 262144,
    }
)
_WHY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "fs.aio-max-nr": "Databases in many containers fail to start: io_setup, EAGAIN.",
        "fs.inotify.max_queued_events": "Programs that watch files miss changes.",
        "fs.inotify.max_user_instances": 'Services fail in many containers: "Too many open files".',
        "fs.inotify.max_user_watches": 'Editors and services say "No space left on device".',
        "kernel.keys.maxbytes": 'docker says "disk quota exceeded" when there are many containers.',
        "kernel.keys.maxkeys": 'docker says "disk quota exceeded" when there are many containers.',
        "kernel.pid_max": "A few containers with many threads use up all process ids.",
        "net.core.bpf_jit_limit": "Containers fail to start: no memory for seccomp filters.",
        "net.ipv4.neigh.default.gc_thresh3": 'Connections fail: "neighbour table overflow".',
        "net.ipv6.neigh.default.gc_thresh3": 'Connections fail: "neighbour table overflow".',
        "vm.max_map_count": "Programs that map many files fail: Elasticsearch, large trainings.",
    }
)


def read_limits(machine: Machine) -> Mapping[str, int]:
    """What the kernel says of those that are wanted; one that it has not is left out."""
    found = {key: _read(machine, key) for key in WANTED}
    return {key: value for key, value in found.items() if value is not None}


def too_low(now: Mapping[str, int]) -> Mapping[str, int]:
    """Those to be raised, and what to."""
    return {key: least for key, least in WANTED.items() if now.get(key, least) < least}


def to_write(now: Mapping[str, int], is_managed: Mapping[str, int]) -> HostFile | None:
    """The file that keeps over a boot what is too low NOW, and what OURS, that is there, keeps.

    None where nothing is. What somebody else has raised further is theirs: at the next boot the
    file would lower it.
    """
    low = too_low(now)
    kept = {key: WANTED[key] for key in is_managed if now.get(key) == WANTED.get(key, -1)}
    lines = "".join(f"{key} = {value}\n" for key, value in sorted({**kept, **low}.items()))
    if not lines:
        return None
    head = f"# {MARK}: room for many containers. Only what was lower is raised here.\n"
    return HostFile(path=FILE, text=head + lines)


def written(machine: Machine) -> Mapping[str, int]:
    """What our file sets; nothing where there is none, or it is somebody else's."""
    text = machine.text(FILE) or ""
    pairs = (line.split("=") for line in text.splitlines() if "=" in line and line[:1] != "#")
    numbers = {key.strip(): value.strip() for key, value in pairs} if MARK in text else {}
    return {key: int(value) for key, value in numbers.items() if value.isdecimal()}


def is_lacking(machine: Machine) -> bool:
    """Whether something is too low, or would be so after a boot."""
    now = read_limits(machine)
    file = to_write(now, written(machine))
    return bool(too_low(now)) or (file is not None and bool(missing_pieces([file], machine)))


def raise_limits(machine: Machine) -> tuple[str, ...]:
    """Write the file and apply it; those that the kernel refuses, as within a container."""
    now = read_limits(machine)
    file = to_write(now, written(machine))
    if file is None:
        return ()
    install_piece([file], machine)
    return tuple(key for key, value in too_low(now).items() if not _set(machine, key, value))


def findings(now: Mapping[str, int], sudo: str) -> Iterator[Finding]:
    """One for each limit that is too low, or one that says all are well. Pure."""
    name, low = "kernel-limits", too_low(now)
    if not low:
        yield Finding(name=name, found="high enough for many containers")
    invoke = f"{sudo}.venv/bin/invoke" if sudo else "invoke"
    for key, wanted in low.items():
        yield Finding(
            name=name,
            subject=key,
            status=Status.WARN,
            found=f"{now[key]}, expected at least {wanted}",
            why=_WHY[key],
            fix=f"{invoke} host.setup",
        )


def _path(key: str) -> str:
    return f"/proc/sys/{key.replace('.', '/')}"


def _read(machine: Machine, key: str) -> int | None:
    text = (machine.text(_path(key)) or "").strip()
    return int(text) if text.isdecimal() else None


def _set(machine: Machine, key: str, value: int) -> bool:
    try:
        machine.at(_path(key)).write_text(f"{value}\n", encoding="ascii")
    except OSError:
        return False
    return True
