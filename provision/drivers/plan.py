"""What a driver sync would do to each container. Pure: reads nothing, changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lab import labels
from lab.driver.delivery import Delivery
from lab.lxd.model import State
from provision.drivers.actions import Action, Forget, Install, Leave, Note, Restart
from provision.drivers.marker import SyncMarker, read_mark
from provision.drivers.survey import InContainer
from provision.other_run import in_other_hands


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """RESTART: those that get their driver by a start. FORCE: also those at work on GPUs."""

    restart: bool = False
    force: bool = False


def plan(
    containers: Iterable[InContainer],
    version: str,
    busy: Mapping[str, tuple[str, ...]],
    options: Options,
) -> tuple[Action, ...]:
    """() when every container has VERSION. BUSY: name → the processes inside that use GPUs."""
    found = (
        plan_one(container, version, busy.get(container.name, ()), options)
        for container in containers
    )
    return tuple(action for action in found if action is not None)


def plan_one(
    container: InContainer, version: str, busy: tuple[str, ...], options: Options
) -> Action | None:
    name, mark = container.name, read_mark(container.mark)
    if not is_due(container):
        return None
    if mark is None and not container.drift and container.trouble is None:
        return Note(name=name, version=version)
    obstacle = _obstacle(container, mark, () if options.force else busy)
    if obstacle is not None:
        return obstacle
    if container.delivery is Delivery.IMAGE:
        return _install(container, version, mark)
    return _restart(container, version, mark, options)


def is_due(container: InContainer) -> bool:
    """Whether it needs a look: it drifts or that is not known, its sync was interrupted, or our key
    is out of date."""
    if container.drift or container.mark is not None or container.trouble is not None:
        return True
    if container.delivery is not Delivery.IMAGE or container.noted is None:
        return False
    return container.driver not in {None, container.noted}


def _obstacle(
    container: InContainer, mark: SyncMarker | None, busy: tuple[str, ...]
) -> Leave | None:
    name = container.name
    if mark is not None and mark.alive is not False:
        return _left_to(name, mark)
    if container.delivery is Delivery.NONE:
        return Leave(name=name, reason="its user installs the driver (delivery none)")
    if container.trouble is not None:
        return Leave(name=name, reason=container.trouble)
    if container.state not in {State.RUNNING, State.STOPPED}:
        return Leave(
            name=name, reason=f"it is {container.state.value}, neither running nor stopped"
        )
    return _at_work(container, busy) if busy else None


def _install(container: InContainer, version: str, mark: SyncMarker | None) -> Install:
    """Also where MARK is all there is: files alone do not tell whether dpkg came to its end."""
    return Install(
        name=container.name,
        had=container.driver,
        version=version,
        gpus=container.gpus,
        asleep=container.state is State.STOPPED,
        leftover=mark,
    )


def _restart(
    container: InContainer, version: str, mark: SyncMarker | None, options: Options
) -> Restart | Forget | Leave:
    name = container.name
    # Cut off between its stop and its start: that restart was asked for.
    resumed = mark is not None and container.state is State.STOPPED
    if mark is not None and not container.drift and not resumed:
        return Forget(name=name, leftover=mark)
    if not options.restart and not resumed:
        return Leave(
            name=name,
            reason=f"a restart gives it driver {version} (delivery {container.delivery.value})",
            fix=_command(container),
            restart=True,
        )
    return Restart(
        name=name,
        had=container.driver,
        version=version,
        gpus=container.gpus,
        delivery=container.delivery,
    )


def _at_work(container: InContainer, busy: tuple[str, ...]) -> Leave:
    return Leave(
        name=container.name,
        reason=f"its GPUs are in use by {', '.join(busy)}; try later, or",
        fix=f"{_command(container)} --force",
    )


def _command(container: InContainer) -> str:
    restart = "" if container.delivery is Delivery.IMAGE else " --restart"
    return f"invoke sync-drivers {container.name}{restart}"


def _left_to(name: str, mark: SyncMarker) -> Leave:
    reason, fix = in_other_hands(
        mark,
        "syncing",
        once_over="remove the mark of that run",
        fix=f"lxc config unset {name} {labels.SYNC}",
    )
    return Leave(name=name, reason=reason, fix=fix)
