"""Holding the driver's packages, and letting go of those that were held here, no others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from host.machine import Machine
from host.units.files import MARK, HostFile, install_piece, remove_piece
from host.units.packages import apt_configuration, read_packages
from lab.errors import LxdError

_APT: Final = "/etc/apt/apt.conf.d/52labstamp-nvidia"
_MEMORY: Final = "/var/lib/labstamp/held-packages"


def hold(machine: Machine) -> tuple[str, ...]:
    """Hold what is installed of the driver; what was done, in words. Nothing without apt."""
    if not machine.at("/etc/apt").is_dir():
        return ()
    packages = read_packages(machine)
    fresh = [name for name in packages.installed if name not in packages.held]
    if fresh:
        # Written first: cut off in between, the removal still knows of them.
        install_piece([_memory({*_remembered(machine), *fresh})], machine)
        _apt_mark(machine, "hold", fresh)
    blacklist = install_piece([_blacklist()], machine)
    return (
        *([f"held against upgrades: {', '.join(fresh)}"] if fresh else []),
        *(f"{piece.path}: unattended upgrades skip the driver" for piece in blacklist),
    )


def release(machine: Machine) -> tuple[str, ...]:
    """What was done, in words. A hold that somebody else set, before or after, stays theirs."""
    is_managed = [name for name in _remembered(machine) if name in read_packages(machine).held]
    if is_managed:
        _apt_mark(machine, "unhold", is_managed)
    removed = remove_piece([_memory(()), _blacklist()], machine)
    return (
        *([f"no longer held: {', '.join(is_managed)}"] if is_managed else []),
        *(f"{piece.path}: removed" for piece in removed),
    )


def _blacklist() -> HostFile:
    return HostFile(
        path=_APT,
        text=f"// {MARK}: the driver is upgraded on purpose, with all containers.\n"
        f"{apt_configuration()}",
    )


def _memory(names: Sequence[str] | set[str]) -> HostFile:
    head = f"# {MARK}: packages that `invoke host.remove-driver-hook` lets go of.\n"
    return HostFile(path=_MEMORY, text=head + "".join(f"{name}\n" for name in sorted(names)))


def _remembered(machine: Machine) -> tuple[str, ...]:
    text = machine.text(_MEMORY) or ""
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


def _apt_mark(machine: Machine, verb: str, names: Sequence[str]) -> None:
    ended = machine.run(["apt-mark", verb, *names])
    if ended.exit_code != 0:
        raise LxdError(
            f"apt-mark {verb} failed for {', '.join(names)}.",
            details=(ended.stderr or ended.stdout).strip(),
            fix="Run this again when no other apt is running.",
        )
