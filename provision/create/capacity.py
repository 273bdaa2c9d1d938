"""Whether what is asked for makes sense, and fits the machine."""

from __future__ import annotations

from lab.errors import CapacityError, InputError
from lab.lxd.loop_file import in_words, way_out
from lab.lxd.model import Pool
from lab.machine.host_size import HostSize
from lab.sizes import format_size, parse_size
from provision.create.facts import Facts
from provision.create.request import Request
from provision.releases import Offer

_MIB = 1 << 20
MIN_DISK = 1024 * _MIB
"""A release unpacks to 0.5 to 4 GiB; below this no first boot ends well."""
MIN_HOME = 16 * _MIB
MIN_MEMORY = 256 * _MIB
_MIN_FREE = 512 * _MIB
"""A pool with less than this left is full: one first boot writes about as much."""


def disk_size(request: Request, offer: Offer) -> int | None:
    """The root's quota; None where neither request nor template says one."""
    if request.disk_bytes is not None:
        return request.disk_bytes
    return parse_size(offer.release.needs.disk) if offer.release.needs.disk else None


def home_size(request: Request, offer: Offer) -> int | None:
    return request.home_bytes if request.home_bytes is not None else disk_size(request, offer)


def check_capacity(request: Request, offer: Offer, facts: Facts) -> None:
    """InputError for what no machine can do, CapacityError for what this one cannot."""
    disk, home = disk_size(request, offer), home_size(request, offer)
    at_least("--disk", disk, MIN_DISK)
    at_least("--home", home, MIN_HOME)
    fits_pool("disk", disk, facts.pool)
    fits_pool("home", home, facts.pool)
    _has_space(facts.pool)
    fits_host(request.cpus, request.memory_bytes, facts.host)


def at_least(option: str, size: int | None, least: int) -> None:
    if size is not None and size < least:
        # `--memory 16` is sixteen bytes to LXD, and never meant so.
        unit = f" A number without a unit is bytes: {option} {size}GiB?" if size < 1024 else ""
        raise InputError(
            f"{option} {format_size(size)} is too small.",
            fix=f"Ask for {format_size(least)} or more.{unit}",
        )


def fits_pool(what: str, size: int | None, pool: Pool) -> None:
    if size is None or pool.total_bytes is None or size <= pool.total_bytes:
        return
    raise CapacityError(
        f"{format_size(size)} for the {what} is more than the pool has.",
        details=f'The pool "{pool.name}" has {format_size(pool.total_bytes)} in all.',
        fix=f"Ask for less: --{what} SIZE",
    )


def _has_space(pool: Pool) -> None:
    if pool.free_bytes is None or pool.free_bytes >= _MIN_FREE:
        return
    if why := in_words(pool):
        raise CapacityError(
            f'The pool "{pool.name}" is full: {format_size(pool.free_bytes)} are left.',
            details=why,
            fix=way_out(pool),
        )
    raise CapacityError(
        f'The pool "{pool.name}" is full: {format_size(pool.free_bytes)} are left.',
        fix="Make room: invoke prune-images, invoke destroy NAME --purge, or a larger pool.",
    )


def fits_host(cpus: int | None, memory: int | None, host: HostSize) -> None:
    """CPUS and bytes of MEMORY, where they are asked for."""
    at_least("--memory", memory, MIN_MEMORY)
    if cpus is not None and cpus < 1:
        raise InputError(f"--cpus {cpus}: a container needs at least 1 CPU.")
    if cpus and host.cpus and cpus > host.cpus:
        raise CapacityError(
            f"{cpus} CPUs requested, the host has {host.cpus}.",
            fix="Ask for less: --cpus N",
        )
    there = host.memory_bytes
    if memory and there and memory > there:
        raise CapacityError(
            f"{format_size(memory)} of memory requested, the host has {format_size(there)}.",
            fix="Ask for less: --memory SIZE",
        )
