"""`resize`: look, plan, change; while the container runs."""

from __future__ import annotations

from lab.lxd.port import Lxd
from lab.report import Report
from lab.settings.settings import Settings
from provision.held_memory import check_memory
from provision.managed import container_lock
from provision.resize.facts import read
from provision.resize.plan import Change, Resize, plan
from provision.resize.sizes import Sizes
from provision.whole import whole_container


def resize(
    lxd: Lxd,
    settings: Settings,
    name: str,
    sizes: Sizes,
    report: Report,
    *,
    only_plan: bool = False,
) -> tuple[Change, ...]:
    """What was changed, or with ONLY_PLAN would be; () where all is so already."""
    with container_lock(settings, name, report, f"resize {name}"):
        instance = whole_container(lxd, name)
        found = plan(sizes, read(lxd, settings, instance))
        if not only_plan:
            _apply(lxd, name, found, report)
            check_memory(lxd, name, found.memory, report)
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
