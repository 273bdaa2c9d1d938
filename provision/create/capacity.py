"""Whether what is asked for makes sense, and fits the machine."""

from __future__ import annotations

from lab.errors import CapacityError, InputError
from lab.lxd.loop_file import in_words, way_out
from lab.lxd.model import Pool
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
    _at_least("--disk", disk, MIN_DISK)
    _at_least("--home", home, MIN_HOME)
    _at_least("--memory", request.memory_bytes, MIN_MEMORY)
    if request.cpus is not None and request.cpus < 1:
        raise InputError(f"--cpus {request.cpus}: a container needs at least 1 CPU.")
    _fits_pool("disk", disk, facts.pool)
    _fits_pool("home", home, facts.pool)
    _has_space(facts.pool)
    _fits_host(request, facts)


def _at_least(option: str, size: int | None, least: int) -> None:
    if size is not None and size < least:
        # `--memory 16` is sixteen bytes to LXD, and never meant so.
        unit = f" A number without a unit is bytes: {option} {size}GiB?" if size < 1024 else ""
        raise InputError(
            f"{option} {format_size(size)} is too small.",
            fix=f"The minimum is {format_size(least)}.{unit}",
        )


def _fits_pool(what: str, size: int | None, pool: Pool) -> None:
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


def _fits_host(request: Request, facts: Facts) -> None:
    if request.cpus and facts.host_cpus and request.cpus > facts.host_cpus:
        raise CapacityError(
            f"{request.cpus} CPUs requested, the host has {facts.host_cpus}.",
            fix="Ask for less: --cpus N",
        )
    memory, there = request.memory_bytes, facts.host_memory_bytes
    if memory and there and memory > there:
        raise CapacityError(
            f"{format_size(memory)} of memory requested, the host has {format_size(there)}.",
            fix="Ask for less: --memory SIZE",
        )
