"""`move --forget`: what is kept of a container that another server has goes for good."""

from __future__ import annotations

from dataclasses import dataclass

from lab import labels
from lab.errors import InputError
from lab.instances.removal import remove_instance, remove_volume
from lab.lxd.model import Volume
from lab.lxd.port import Lxd
from lab.report import Report
from lab.settings.settings import Settings
from lab.sizes import format_size
from provision.changing import put
from provision.homes import read_stores
from provision.managed import container_lock, is_managed, managed_container
from provision.move.becoming import PROTECTION
from provision.moving import MoveMark, arrival_mark, being_moved, move_mark
from provision.restoring import home_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    mark: MoveMark
    home: Volume | None
    used: int | None

    def __str__(self) -> str:
        name, home = self.mark.name, self.home
        size = "" if self.used is None else f", {format_size(self.used)} in it"
        volume = f" and its volume {home.name} (/home{size}) in pool {home.pool}" if home else ""
        return (
            f"{name}: remove what is kept here: the stopped container{volume}, with their "
            f"snapshots; {self.mark.remote} has {name}"
        )


def kept_mark(lxd: Lxd, name: str) -> MoveMark:
    """Where NAME was moved to. InputError where it was not, or not to the end."""
    home = None if lxd.instance(name) is not None else _left_home(lxd, name)
    mark = move_mark(home or managed_container(lxd, name))
    if mark is None:
        raise InputError(
            f'The container "{name}" was not moved.',
            details="It was not changed.",
            fix=f"To remove it: invoke destroy {name}",
        )
    if not mark.is_moved:
        raise being_moved(mark)
    return mark


def plan_forget(lxd: Lxd, there: Lxd, name: str) -> Forget:
    """InputError unless the other server has the container: here may be its only files."""
    mark = kept_mark(lxd, name)
    found = there.instance(name)
    if (
        found is None
        or not is_managed(found)
        or arrival_mark(found) is not None
        or there.server().certificate != mark.server
    ):
        raise InputError(
            f"{mark.remote} does not have the container {name} as it should.",
            details="What is kept here may be all that there is of it. It was not changed.",
            fix=f"Continue its move, if that was interrupted: {mark.command}\n"
            f"or use it here again, if it was removed there: lxc config unset {name} "
            f"{labels.MOVE}\nthen: invoke start {name}",
        )
    instance = lxd.instance(name)
    home = home_of(lxd, instance) if instance is not None else _left_home(lxd, name)
    used = lxd.volume_used(home.pool, home.name) if home is not None else None
    return Forget(mark=mark, home=home, used=used)


def forget(lxd: Lxd, there: Lxd, settings: Settings, name: str, report: Report) -> None:
    with container_lock(settings, name, report, f"move {name} --forget"):
        found = plan_forget(lxd, there, name)
        report.phase(name, "remove what is kept of it")
        home = found.home
        if lxd.instance(name) is not None:
            if home is not None:
                # Without it, it would be a kept home, if this were cut off in between.
                lxd.update_volume(home.pool, home.name, {labels.MOVE: str(found.mark)})
            put(lxd, name, config={PROTECTION: None})
            remove_instance(lxd, name)
        if home is not None:
            _remove_home(lxd, name, home)
        report.done(name, f"is on {found.mark.remote} alone")


def _left_home(lxd: Lxd, name: str) -> Volume | None:
    """What a run that was cut off has left of NAME."""
    homes = read_stores(lxd).homes(name)
    return next((one for one in homes if move_mark(one) is not None), None)


def _remove_home(lxd: Lxd, name: str, home: Volume) -> None:
    """With its snapshots; not where somebody has attached it elsewhere."""
    if set(home.used_by) <= {name} and not home.used_elsewhere:
        remove_volume(lxd, home.pool, home.name)
