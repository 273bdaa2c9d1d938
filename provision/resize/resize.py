"""`resize`: look, plan, change; while the container runs."""

from __future__ import annotations

from collections.abc import Callable

from lab.errors import LxdError
from lab.lxd.model import State
from lab.lxd.port import Lxd
from lab.machine import cgroup
from lab.report import Report
from lab.settings.settings import Settings
from lab.sizes import format_size
from provision.managed import container_lock
from provision.resize.facts import read
from provision.resize.plan import Change, Resize, plan
from provision.resize.sizes import Sizes
from provision.whole import whole_container

_PAGES = 64 << 10
"""The kernel rounds a limit down to whole pages; the largest page of Debian's kernels."""


def resize(
    lxd: Lxd,
    settings: Settings,
    name: str,
    sizes: Sizes,
    report: Report,
    *,
    only_plan: bool = False,
    memory_limit: Callable[[int], int | None] = cgroup.memory_limit,
    memory_held: Callable[[int], int | None] = cgroup.memory_held,
) -> tuple[Change, ...]:
    """What was changed, or with ONLY_PLAN would be; () where all is so already."""
    with container_lock(settings, name, report, f"resize {name}"):
        instance = whole_container(lxd, name)
        found = plan(sizes, read(lxd, settings, instance, memory_held=memory_held))
        if not only_plan:
            _apply(lxd, name, found, report)
            _check_memory(lxd, name, found.memory, memory_limit)
        return found.changes


def _apply(lxd: Lxd, name: str, found: Resize, report: Report) -> None:
    """A run that is cut off in between leaves a request that the next one finds different."""
    if found.changes:
        report.phase(name, "resize")
    if found.home is not None:
        pool, volume, size = found.home
        lxd.update_volume(pool, volume, {"size": size})
    if found.config or found.devices:
        lxd.update(name, config=found.config, devices=found.devices)
    if found.changes:
        report.done(name, "resized")


def _check_memory(
    lxd: Lxd, name: str, wanted: int | None, memory_limit: Callable[[int], int | None]
) -> None:
    """LxdError where the kernel holds the running container to another limit than LXD says."""
    if wanted is None or lxd.state(name).state is not State.RUNNING:
        return
    init = lxd.init_pid(name)
    limit = memory_limit(init) if init is not None else None
    if limit is not None and not wanted - _PAGES < limit <= wanted:
        raise LxdError(
            f"LXD has set {format_size(wanted)} of memory for {name}, but the kernel still limits "
            f"it to {format_size(limit)}.",
            fix=f"Restart the container: invoke restart {name}",
        )
