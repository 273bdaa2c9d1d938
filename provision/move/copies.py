"""The copies on the other server: made, brought up to date, and taken away again.

Each has the note of its move from the very call that makes it. A copy that is not `whole` may hold
half of anything: it is made again. None is ever started before it is whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from lab import labels
from lab.errors import Conflict, LxdError, LxdUnreachable, SnapshotUnfit
from lab.instances.removal import remove_instance, remove_volume
from lab.lxd.idmap import NEXT, ON_VOLUME, IdRange, own_range
from lab.lxd.model import InstanceSpec, Progress, Server, Volume
from lab.lxd.port import Lxd
from lab.process import me
from lab.report import Report
from provision.changing import put
from provision.homes import home_marks
from provision.move.becoming import AUTOSTART, INSTANCE_ID
from provision.move.facts import Here
from provision.move.plan import Move
from provision.moving import Arrival, MoveMark, arrival_mark

_AS_LONG_AS_IT_TAKES = 6 * 3600.0
"""For what the two daemons still do for a run that was killed."""
_NO_SUBVOLUME = re.compile(r'"(/[^"]+)".*Could not get subvolume flags', re.DOTALL)
_OF_ANY_POOL = ("size", "security.", "snapshots.", "user.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Both servers, as they are reached from here."""

    lxd: Lxd
    there: Lxd
    report: Report


def bring(sides: Sides, here: Here, move: Move, mark: MoveMark) -> None:
    """All that HERE has now is there, stopped."""
    name, report = move.name, sides.report
    note = Arrival(id=mark.id, source=here.server.name, server=here.server.certificate)
    try:
        _bring_both(sides, here, move, note)
    except (LxdUnreachable, SnapshotUnfit):
        raise
    except LxdError as error:
        if not _is_there(sides.there, move, note):
            raise
        # As where its snapshots were removed by hand meanwhile.
        report.say(f"{name} is copied from the beginning: {error.details or error.brief}")
        take_away(sides.there, name, mark.id)
        _bring_both(sides, here, move, note)


def _bring_both(sides: Sides, here: Here, move: Move, note: Arrival) -> None:
    """The home first: a container is made with the volumes that its devices name."""
    name, there, report = move.name, sides.there, sides.report

    def tell(progress: Progress) -> None:
        report.detail(name, progress.text)

    pool, volume = move.home
    old = _refreshed_home(there, pool, volume, note)
    report.phase(name, "copy what has changed in /home" if old else "copy /home")
    there.receive_volume(
        sides.lxd,
        (here.home.pool, here.home.name),
        pool,
        volume,
        _home_config(here.home, name, there.project, move, note),
        refresh=old,
        on_progress=tell,
    )
    whole = str(replace(note, whole=True))
    there.update_volume(pool, volume, {labels.ARRIVAL: whole})
    old = _refreshed_root(there, name, note)
    report.phase(name, "copy what has changed in its root" if old else "copy its root")
    spec = InstanceSpec(
        name=name,
        config={**move.becoming.config, **_half_made(note)},
        devices=move.becoming.devices,
        profiles=tuple(here.instance.profiles),
        description=here.instance.description,
    )
    there.receive_instance(
        sides.lxd, name, spec, refresh=old, snapshots=not move.unfit, on_progress=tell
    )
    put(there, name, config={labels.ARRIVAL: whole})


def fit(there: Lxd, move: Move, identity: str | None) -> IdRange | None:
    """The copy has the config and devices of MOVE, whatever it was made with; its ids."""
    copy = there.instance(move.name)
    if copy is None:
        raise LxdError(f"The copy of {move.name} is missing there.")
    stays = (labels.ARRIVAL, labels.PHASE, labels.BUILDER, AUTOSTART)
    old = {
        key: None
        for key in copy.config
        if not key.startswith(("volatile.", "image.")) and key not in stays
    }
    ids = own_range(copy) if move.given.lxd_chooses else move.given.ids
    own = ids.config if ids is not None else {}
    wanted: dict[str, str | None] = {**old, **move.becoming.config, **own}
    devices: dict[str, Mapping[str, str] | None] = {
        **dict.fromkeys(copy.devices),
        **move.becoming.devices,
    }
    put(there, move.name, config=wanted, devices=devices)
    if ids is not None:
        there.update_volume(*move.home, {labels.IDS: str(ids)})
    changed = there.instance(move.name)
    if identity is not None and changed and changed.config.get(INSTANCE_ID) != identity:
        # Alone and last: LXD gives another id with changes of NICs and user-data.
        put(there, move.name, config={INSTANCE_ID: identity})
    return ids


def take_away(there: Lxd, name: str, move: str) -> None:
    """The copies of the move MOVE, of which none has become the container."""
    found = there.instance(name)
    if (arrival := arrival_mark(found)) is not None and arrival.id == move:
        _remove_root(there, name)
    for volume in volumes_of(there, name, move):
        _take_away_home(there, volume)


def volumes_of(there: Lxd, name: str, move: str) -> tuple[Volume, ...]:
    marked = ((volume, arrival_mark(volume)) for volume in _homes(there, name))
    return tuple(volume for volume, mark in marked if mark is not None and mark.id == move)


def leftovers(there: Lxd, name: str, server: Server) -> frozenset[str]:
    """The moves of NAME from SERVER that left copies there."""
    marks = map(arrival_mark, (there.instance(name), *_homes(there, name)))
    return frozenset(
        mark.id for mark in marks if mark is not None and mark.server == server.certificate
    )


def wait_until_idle(lxd: Lxd, name: str) -> None:
    """The two daemons go on with what a killed run asked them for."""
    lxd.wait_until_idle(name, timeout=_AS_LONG_AS_IT_TAKES)
    # One that is still being made may not be listed.
    usual = ((pool.name, f"home-{name}") for pool in lxd.pools())
    listed = ((one.pool, one.name) for one in _homes(lxd, name))
    for pool, volume in dict.fromkeys((*usual, *listed)):
        lxd.wait_until_volume_idle(pool, volume, timeout=_AS_LONG_AS_IT_TAKES)


def _homes(lxd: Lxd, name: str) -> list[Volume]:
    """Also those that are no whole home yet, of which `read_stores` knows nothing."""
    return [
        volume
        for pool in lxd.pools()
        for volume in lxd.volumes(pool.name)
        if volume.config.get(labels.CONTAINER) == name
    ]


def _take_away_home(there: Lxd, volume: Volume) -> None:
    remove_volume(there, volume.pool, volume.name)


def _remove_root(there: Lxd, name: str) -> None:
    """LXD that was killed while it received may leave a directory that it cannot remove."""
    try:
        remove_instance(there, name)
    except LxdError as error:
        left = _NO_SUBVOLUME.search(error.details or "")
        if left is None:
            raise
        raise LxdError(
            error.brief,
            details="That LXD was interrupted while it received it, and left an empty directory.",
            fix=f"Remove that directory on that server, as root: rmdir {left[1]}",
        ) from error


def _is_there(there: Lxd, move: Move, note: Arrival) -> bool:
    found = arrival_mark(there.instance(move.name))
    return found is not None and found.id == note.id


def _refreshed_home(there: Lxd, pool: str, name: str, note: Arrival) -> bool:
    """Whether there is a copy that only needs what has changed; one that is half made goes."""
    found = next((one for one in there.volumes(pool) if one.name == name), None)
    if found is None:
        return False
    arrival = arrival_mark(found)
    if arrival is None or arrival.id != note.id:
        raise _taken(f"volume {name} in pool {pool}")
    if arrival.whole:
        there.update_volume(pool, name, {labels.ARRIVAL: str(note)})
        return True
    # Its container is younger, and cannot be whole either.
    for user in found.used_by:
        _remove_root(there, user)
    _take_away_home(there, found)
    return False


def _refreshed_root(there: Lxd, name: str, note: Arrival) -> bool:
    found = there.instance(name)
    if found is None:
        return False
    arrival = arrival_mark(found)
    if arrival is None or arrival.id != note.id:
        raise _taken(f"instance {name}")
    if arrival.whole:
        put(there, name, config={labels.ARRIVAL: str(note)})
        return True
    _remove_root(there, name)
    return False


def _taken(what: str) -> Conflict:
    return Conflict(f"There is another {what} there, which was made in the meantime.")


def _home_config(
    home: Volume, name: str, project: str, move: Move, note: Arrival
) -> dict[str, str]:
    kept = {
        key: value
        for key, value in home.config.items()
        if key.startswith(_OF_ANY_POOL) or key in {ON_VOLUME, NEXT}
    }
    ids = {labels.IDS: str(move.given.ids)} if move.given.ids is not None else {}
    marks = {labels.PHASE: labels.PREPARING, labels.BUILDER: me(), labels.ARRIVAL: str(note)}
    return {**kept, **home_marks(name, project), **ids, **marks}


def _half_made(note: Arrival) -> dict[str, str]:
    return {
        labels.PHASE: labels.PREPARING,
        labels.BUILDER: me(),
        labels.ARRIVAL: str(note),
        # No boot of that server starts it before it is the container.
        AUTOSTART: "false",
    }
