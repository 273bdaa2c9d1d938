"""Homes and other volumes: which lost their keys, and whose ids their files have. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lab import labels
from lab.lxd.idmap import NEXT, ON_DISK, ON_VOLUME, read_map, same_map
from lab.lxd.model import Volume
from provision.lab_state.actions import PutVolume, Told
from provision.lab_state.document import SavedVolume
from provision.lab_state.facts import Facts
from provision.lab_state.keys import UNDECIDED, lasting

_VOLATILE = "volatile."
_OWN_IDS = 65536
"""Ids below are the server's own: such files were never given to a container."""


def volume_steps(told: SavedVolume, facts: Facts) -> Iterator[PutVolume | Told]:
    there = facts.volumes.get(told.place)
    subject = f"volume {told.name} in {told.pool}"
    if there is None:
        yield Told(subject=subject, text="not there", fix=_way_back(told))
        return
    if not has_lost_keys(told, there):
        return
    for mark, reason in UNDECIDED.items():
        if mark in told.config and not (mark == labels.ARRIVAL and _has_arrived(told, facts)):
            yield Told(
                subject=subject,
                text=f"left as it is: {reason} when the file was written",
                fix="Check whose files it has, then remove it, or mark it: "
                f"lxc storage volume set {told.pool} {told.name} {labels.OWNER}=ACCOUNT",
            )
            return
    if labels.RESTORE in told.config:
        yield Told(
            subject=subject,
            text="was being restored from a snapshot when the file was written",
            fix="Check whether its files are those of its snapshot or of that day.",
        )
    config = {
        key: value
        for key, value in lasting(told.config).items()
        if key not in {*there.config, ON_VOLUME, NEXT}
    }
    owners, problem = _owners(told, there, facts)
    yield PutVolume(pool=told.pool, name=told.name, config={**config, **owners})
    if problem is not None:
        yield Told(subject=subject, text=problem, fix=_look(told))
    yield from _other_owners(told, subject)


def has_lost_keys(told: SavedVolume, there: Volume) -> bool:
    """Of a volume that LXD knew all along, at least one key is left; what is not was removed."""
    known = {key for key in told.config if not key.startswith(_VOLATILE)}
    return bool(known) and not known & there.config.keys()


def _has_arrived(told: SavedVolume, facts: Facts) -> bool:
    """Whether the move that brought it ended after the file was written: LXD's own record of the
    container has no such mark."""
    user = facts.instances.get(told.config.get(labels.CONTAINER, ""))
    return user is not None and labels.ARRIVAL not in user.config


def _owners(told: SavedVolume, there: Volume, facts: Facts) -> tuple[Mapping[str, str], str | None]:
    """The keys that tell LXD whose ids the files have, checked against the files themselves.

    With a wrong one, LXD would give each file to others at the next start. Without one, it leaves
    files alone that have ids of the server's upper ranges already.
    """
    noted = told.config.get(ON_VOLUME)
    if noted is None or ON_VOLUME in there.config:
        return {}, None  # in the latter case LXD wrote it itself: it was attached since
    owner = facts.owners.get(told.place)
    if owner is None or fits(noted, owner):
        return {key: told.config[key] for key in (ON_VOLUME, NEXT) if key in told.config}, None
    whose = (
        f"its files belong to {owner} on the server, which is not of the ids that the file tells "
        f"({read_map(noted) or 'none'})"
    )
    for user in there.used_by:
        instance = facts.instances.get(user)
        current = instance.config.get(ON_DISK) if instance else None
        if current is not None and fits(current, owner):
            found = {ON_VOLUME: current, NEXT: current}
            return found, f"{whose}, but of those of {user}: LXD is told so"
    return {}, f"{whose}: LXD is not told whose they are"


def fits(idmap: str, owner: int) -> bool:
    """Whether OWNER, of a volume's first directory, can be of the map that LXD wrote."""
    found = read_map(idmap)
    if found is None:
        return not same_map(idmap, "[]") or owner < _OWN_IDS
    return found.base <= owner < found.end


def _other_owners(told: SavedVolume, subject: str) -> Iterator[Told]:
    now = told.config.get(ON_VOLUME)
    for one in told.snapshots:
        then = one.config.get(ON_VOLUME)
        if then is not None and not same_map(then, now):
            yield Told(
                subject=subject,
                text=f"files in its snapshot {one.name} have ids of {read_map(then) or 'none'}, "
                "which LXD cannot be told any more: do not restore it as a whole",
            )


def _way_back(told: SavedVolume) -> str:
    name = told.config.get(labels.CONTAINER)
    return f"If you have a backup of it: invoke restore-backup {name}" if name else ""


def _look(told: SavedVolume) -> str:
    user = told.config.get(labels.CONTAINER, "its container")
    return (
        f"Check who owns its files before {user} starts: "
        f"ls -ln LXD_DIR/storage-pools/{told.pool}/custom"
    )
