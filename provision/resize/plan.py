"""From sizes and facts to the changes, or to why they cannot be made. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from lab import labels
from lab.errors import CapacityError, InputError
from lab.lxd.model import Instance, Pool
from lab.lxd.swap import KEY as SWAP
from lab.lxd.swap import without_swap
from lab.sizes import format_size
from provision.create.capacity import MIN_DISK, MIN_HOME, at_least, fits_host, fits_pool
from provision.limits import CPUS, MEMORY, PROCESSES, as_limit, bytes_of, limits_of
from provision.resize.facts import Facts
from provision.resize.sizes import Sizes, following

MIN_PROCESSES = 200
"""systemd, ssh and one login take some 40; docker with a container as many again."""
_UNSET = "not set"
_MIB = 1 << 20
ROOT_SPARE = 256 * _MIB
"""Below this no package is installed, and LXD cannot write its own files there."""
HOME_SPARE = 16 * _MIB
MEMORY_SPARE = 64 * _MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One size, as people read it."""

    what: str
    now: str
    then: str

    def __str__(self) -> str:
        return f"{self.what}: {self.now} now, {self.then} requested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """What is written: the volume of the home first, the rest of it in one call."""

    changes: tuple[Change, ...] = ()
    config: Mapping[str, str] = field(default_factory=dict)
    devices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    home: tuple[str, str, str] | None = None
    """Pool, volume and its new size."""
    memory: int | None = None
    """Bytes that the kernel holds it to afterwards."""


def plan(sizes: Sizes, facts: Facts) -> Resize:
    """Without changes where all is so already. InputError or CapacityError where it cannot be."""
    _check(sizes, facts)
    instance, device = facts.instance, facts.root[1]
    limits = limits_of(instance)
    changes = [
        *_limit("cpus", instance, CPUS, now=limits.cpus, then=sizes.cpus),
        *_limit(
            *("memory", instance, MEMORY),
            now=limits.memory_bytes,
            then=sizes.memory,
            shown=format_size,
        ),
        *_limit("processes", instance, PROCESSES, now=limits.processes, then=sizes.processes),
        *_sized("disk", bytes_of(device.get("size")), sizes.disk),
        *_sized("home", _home_size(facts), sizes.home),
    ]
    changed = {change.what for change in changes}
    written = {
        CPUS: str(sizes.cpus) if "cpus" in changed else None,
        **(_memory(sizes.memory, facts) if sizes.memory and "memory" in changed else {}),
        PROCESSES: str(sizes.processes) if "processes" in changed else None,
        labels.REQUEST: _request(sizes, facts),
    }
    name = facts.root[0]
    root = {name: {**device, "size": as_limit(sizes.disk)}} if sizes.disk else {}
    home = facts.home
    return Resize(
        changes=tuple(changes),
        config={key: value for key, value in written.items() if value is not None},
        devices=root if "disk" in changed else {},
        home=(home.pool, home.name, as_limit(sizes.home))
        if home and sizes.home and "home" in changed
        else None,
        memory=sizes.memory if "memory" in changed else None,
    )


def _memory(size: int, facts: Facts) -> Mapping[str, str]:
    """And no swap beyond it, unless somebody said something of that."""
    said = SWAP in (facts.instance.expanded_config or facts.instance.config)
    return {MEMORY: as_limit(size), **({} if said else without_swap(facts.server))}


def _request(sizes: Sizes, facts: Facts) -> str | None:
    """Where it differs from the kept one."""
    kept = facts.instance.config.get(labels.REQUEST, "")
    wish = following(kept, sizes)
    return wish if wish != kept else None


def _check(sizes: Sizes, facts: Facts) -> None:
    at_least("--disk", sizes.disk, MIN_DISK)
    at_least("--home", sizes.home, MIN_HOME)
    fits_host(sizes.cpus, sizes.memory, facts.host)
    _check_processes(sizes.processes, facts.host.pids)
    if sizes.home is not None and facts.home is None:
        raise InputError(
            f"{facts.instance.name} has no home volume to resize.",
            fix="Leave --home out.",
        )
    _check_disk("disk", sizes.disk, facts.root_pool, facts.root_used, ROOT_SPARE)
    _check_disk("home", sizes.home, facts.home_pool, facts.home_used, HOME_SPARE)
    held = facts.memory_held
    if sizes.memory is not None and held is not None and sizes.memory < held + MEMORY_SPARE:
        raise CapacityError(
            f"{format_size(sizes.memory)} of memory is less than {facts.instance.name} needs now.",
            details=f"Its processes hold {format_size(held)}.",
            fix=f"Give at least {format_size(held + MEMORY_SPARE)}, or end processes in it first.",
        )


def _check_processes(processes: int | None, pids: int | None) -> None:
    if processes is None:
        return
    if processes < MIN_PROCESSES:
        raise InputError(
            f"--processes {processes} is too small.",
            fix=f"Give at least {MIN_PROCESSES}: with fewer, nobody can log in.",
        )
    if pids is not None and processes > pids:
        raise CapacityError(
            f"{processes} processes requested, the host's kernel can have {pids}.",
            fix="Ask for less: --processes N",
        )


def _check_disk(
    what: str, size: int | None, pool: Pool | None, used: int | None, spare: int
) -> None:
    if size is None:
        return
    if pool is not None:
        fits_pool(what, size, pool)
    if used is not None and size < used + spare:
        raise CapacityError(
            f"{format_size(size)} is too small for the {what}: {format_size(used)} are in use.",
            fix=f"Give at least {format_size(used + spare)}, or delete files in it first.",
        )


def _home_size(facts: Facts) -> int | None:
    return bytes_of(facts.home.config.get("size")) if facts.home else None


def _limit(
    what: str,
    instance: Instance,
    key: str,
    *,
    now: int | None,
    then: int | None,
    shown: Callable[[int], str] = str,
) -> Iterator[Change]:
    """Also where a profile gives as much: that may change, and what was asked for stays."""
    is_own = key in instance.config
    if then is None or (is_own and now == then):
        return
    # A share of the host's, or a set of CPUs that is not understood.
    written = (instance.expanded_config or instance.config).get(key, _UNSET)
    has = written if now is None else shown(now)
    of_profile = "" if is_own or has == _UNSET else ", from a profile,"
    yield Change(what=what, now=f"{has}{of_profile}", then=shown(then))


def _sized(what: str, now: int | None, then: int | None) -> Iterator[Change]:
    if then is not None and now != then:
        shown = _UNSET if now is None else format_size(now)
        yield Change(what=what, now=shown, then=format_size(then))
