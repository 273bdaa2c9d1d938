"""Two roots change places: the one leaves the container's name, the other gets it; or back.

The note on the one that leaves is written first. Wherever a run ends, `go_back` leads from what is
there to the container as it was, and `finish` to the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from lab import labels
from lab.errors import LxdError
from lab.instances.boot import wait_for_init
from lab.instances.removal import remove_instance
from lab.lxd.model import Instance, State
from lab.lxd.port import Lxd
from lab.process import me
from lab.report import Report
from provision.changing import put
from provision.create.closed import is_closed, open_up
from provision.filtered import start_filtered
from provision.former import Stage, UpgradeMark, is_kept_root, read_mark, unfinished
from provision.upgrade.actions import Handed
from provision.upgrade.address import asked_for, asking_for, held_address
from provision.upgrade.root import AUTOSTART, PROTECTION, addresses, put_back, stripped

INSTANCE_ID = "volatile.cloud-init.instance-id"
"""LXD gives another at each renaming; cloud-init then takes the root for a new machine."""
_IDLE = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """Where both are at this moment."""

    leaving: Instance
    coming: Instance | None


def leave_name(lxd: Lxd, mark: UpgradeMark, report: Report) -> UpgradeMark:
    """Write down what the container's root has, and stop it."""
    root = existing(lxd, mark.name)
    before = {key: root.config.get(key) for key in (labels.OWNER, AUTOSTART, INSTANCE_ID)}
    mark = replace(
        mark,
        config={**before, **addresses(root)},
        devices=dict(root.devices),
        address=held_address(lxd, root),
    )
    put(lxd, mark.name, config={labels.UPGRADE: str(mark)})
    report.phase(mark.name, "stop")
    lxd.stop(mark.name)
    mark = mark.at(Stage.SWAPPING)
    # Neither the server's boot nor anybody's `lxc start --all` is to go on in between.
    put(lxd, mark.name, config={labels.UPGRADE: str(mark), AUTOSTART: "false"})
    return mark


def exchange(lxd: Lxd, mark: UpgradeMark, handed: Handed, report: Report) -> UpgradeMark:
    """Both are stopped. The next one is handed what it may have beside the present one first."""
    report.phase(mark.name, "change roots")
    leaving = existing(lxd, mark.name)
    nic = asking_for(mark.address, leaving)
    put(lxd, mark.next, devices={**handed.devices, **nic})
    macs = addresses(leaving)
    _strip(lxd, leaving, {labels.OWNER: None})
    # Half made until it was judged, whatever it was before.
    made = {labels.PHASE: labels.PREPARING, labels.BUILDER: me(), labels.KEPT_ROOT: mark.kept}
    shown = {name: None for name in handed.shown if name not in nic}
    put(
        lxd,
        mark.next,
        config={**handed.config, **macs, **made},
        devices={**shown, **handed.network, **nic},
    )
    lxd.rename(mark.name, mark.kept)
    lxd.rename(mark.next, mark.name)
    put(lxd, mark.name, config={labels.OWNER: mark.config.get(labels.OWNER)})
    mark = mark.at(Stage.TRYING)
    put(lxd, mark.kept, config={labels.UPGRADE: str(mark)})
    coming = existing(lxd, mark.name)
    kept = read_mark(coming)
    if kept is not None:
        _same_machine(lxd, coming, kept)
    return mark


def start(lxd: Lxd, mark: UpgradeMark, report: Report) -> None:
    report.phase(mark.name, "boot")
    start_filtered(lxd, mark.name, report)


def finish(lxd: Lxd, mark: UpgradeMark) -> None:
    """The next root was judged fit. Each step may be done twice."""
    container = existing(lxd, mark.name)
    if mark.fresh and container.config.get(labels.PHASE) == labels.PREPARING:
        if container.state is not State.RUNNING:
            lxd.start(mark.name)
            wait_for_init(lxd, mark.name)
        open_up(lxd, mark.name, container.config[labels.OWNER])
    put(
        lxd,
        mark.name,
        config={
            labels.PHASE: labels.READY,
            labels.BUILDER: None,
            labels.PACKAGES: None,
            labels.ACCOUNTS: None,
            # It may have been a kept root itself.
            labels.UPGRADE: None,
            labels.KEPT_ROOT: mark.kept,
            AUTOSTART: mark.config.get(AUTOSTART),
            PROTECTION: "true",
        },
        devices=asked_for(container, mark.devices),
    )
    if mark.asleep:
        lxd.stop(mark.name)
    identity = {INSTANCE_ID: mark.config.get(INSTANCE_ID)}
    kept = replace(mark.at(Stage.KEPT), since=lxd.now().isoformat(), config=identity, devices={})
    put(lxd, mark.kept, config={labels.UPGRADE: str(kept), labels.KEPT_ROOT: None})


def go_back(
    lxd: Lxd, mark: UpgradeMark, report: Report, settle: Callable[[], None] = lambda: None
) -> None:
    """From wherever it was cut off: the container as it was. A new root that nobody has written to
    is removed, any other is kept. SETTLE waits until the container has its address again."""
    name = mark.name
    report.phase(name, "roll back")
    # LXD may still be at what a killed run asked it for, such as a root that is not there yet.
    for each in (name, mark.next, mark.kept):
        lxd.wait_until_idle(each, timeout=_IDLE)
    roots = _roots(lxd, mark)
    if roots.coming is not None:
        _put_away(lxd, mark, roots.coming)
    if roots.leaving.name == mark.kept:
        lxd.rename(mark.kept, name)
    if mark.devices:
        _put_back(lxd, mark)
    if not mark.asleep:
        lxd.start(name)
        settle()
    done: dict[str, str | None] = {labels.UPGRADE: None}
    if not mark.devices:
        put(lxd, name, config=done)
        return
    done[AUTOSTART] = mark.config.get(AUTOSTART)
    put(lxd, name, config=done, devices=asked_for(existing(lxd, name), mark.devices))


def remove_kept_root(lxd: Lxd, name: str, kept: str) -> None:
    """The way back of the container NAME, for good."""
    found = lxd.instance(kept)
    if found is not None and is_kept_root(found):
        put(lxd, kept, config={PROTECTION: None})
        remove_instance(lxd, kept)
    put(lxd, name, config={labels.KEPT_ROOT: None})


def current_mark(lxd: Lxd, name: str) -> UpgradeMark | None:
    """Of an upgrade of NAME that has not ended."""
    leaving = unfinished(lxd.instances(), name)
    return read_mark(leaving) if leaving is not None else None


def existing(lxd: Lxd, name: str) -> Instance:
    found = lxd.instance(name)
    if found is None:
        raise LxdError(f"The instance {name} is missing.", fix="List the instances: lxc list")
    return found


def _put_back(lxd: Lxd, mark: UpgradeMark) -> None:
    """All that the earlier root had, and its address, which LXD may have given away else."""
    name, asleep = mark.name, {**mark.config, AUTOSTART: "false"}
    restored = {key: value for key, value in asleep.items() if key != INSTANCE_ID}
    put(lxd, name, config=restored, devices=put_back(existing(lxd, name), mark.devices))
    present = existing(lxd, name)
    if present.state is not State.RUNNING:
        put(lxd, name, devices=asking_for(mark.address, present))
    _same_machine(lxd, existing(lxd, name), mark)


def _put_away(lxd: Lxd, mark: UpgradeMark, coming: Instance) -> None:
    if coming.name == mark.name:
        lxd.stop(coming.name, force=mark.fresh)
    if mark.fresh:
        if coming.last_used_at is not None and not is_closed(coming):
            raise LxdError(
                f"The new root of {mark.name} cannot be removed: its user may have written to it.",
                details=f"It is the instance {coming.name}; the earlier root is {mark.kept}.",
                fix=f"Look at both: lxc list {mark.name}",
            )
        remove_instance(lxd, coming.name)
        return
    gone = (labels.OWNER, labels.KEPT_ROOT, labels.BUILDER)
    config = {**dict.fromkeys(gone), labels.PHASE: labels.READY, AUTOSTART: "false"}
    _strip(lxd, coming, config)
    if coming.name == mark.name:
        lxd.rename(mark.name, mark.next)


def _strip(lxd: Lxd, root: Instance, config: Mapping[str, str | None]) -> None:
    """Its root alone is left to ROOT, which has CONFIG from then on."""
    without = dict.fromkeys(addresses(root))
    put(lxd, root.name, config={**config, **without}, devices=stripped(root))


def _same_machine(lxd: Lxd, instance: Instance, mark: UpgradeMark) -> None:
    """Alone and last: LXD gives another id with each change of names and NICs, too."""
    known = mark.config.get(INSTANCE_ID)
    if known is not None and instance.config.get(INSTANCE_ID) != known:
        put(lxd, instance.name, config={INSTANCE_ID: known})


def _roots(lxd: Lxd, mark: UpgradeMark) -> Roots:
    instances = {one.name: one for one in lxd.instances()}
    leaving = unfinished(instances.values(), mark.name)
    if leaving is None:
        raise LxdError(
            f"The earlier root of {mark.name} is missing.",
            details=f"It was {mark.name} or {mark.kept} when its upgrade began.",
            fix="List the instances: lxc list",
        )
    named, beside = instances.get(mark.name), instances.get(mark.next)
    if named is not None and named.name != leaving.name:
        return Roots(leaving=leaving, coming=named)
    ours = beside is not None and _is_next(beside, mark)
    return Roots(leaving=leaving, coming=beside if ours else None)


def _is_next(instance: Instance, mark: UpgradeMark) -> bool:
    if not mark.fresh:
        return is_kept_root(instance)
    return instance.config.get(labels.KEPT_ROOT) == mark.kept
