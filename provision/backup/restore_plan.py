"""From a backup and the facts to what a restore makes, or why it cannot be. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab import labels
from lab.errors import CapacityError, InputError
from lab.gpu_selection import GpuSelection
from lab.gpus.allocation import allocate
from lab.lxd.devices import ROOT, Devices, of_type, plug_of
from lab.lxd.idmap import ON_VOLUME, IdRange, kept_range
from lab.lxd.model import Grant, InstanceSpec, Volume
from lab.process import me
from lab.sizes import format_size
from provision.backup.directory import Backup
from provision.backup.manifest import Manifest, Root
from provision.backup.restored import Facts, config_of, devices_for, taken_macs
from provision.expiring import KEYS as TIME
from provision.homes import HOME, home_marks
from provision.ids.ranges import Person, choose
from provision.restoring import Half


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHome:
    pool: str
    name: str
    config: Mapping[str, str]
    ids: IdRange


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    backup: Backup
    ids: IdRange
    home: NewHome | None = None
    """None: the kept home is used."""
    root: Root | None = None
    """None: the home alone is restored."""
    spec: InstanceSpec | None = None
    """Without its image, which is made later."""
    gpus: tuple[Grant, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.backup.name

    def __str__(self) -> str:
        manifest = self.backup.manifest
        lines = [f"{self.name}: restore the backup {self.backup.id}"]
        if self.home is not None:
            part = manifest.home.part
            lines.append(
                f"  create the volume {self.home.name} for /home in pool {self.home.pool}: "
                f"{part.files} files, {format_size(part.content_bytes)}, ids {self.ids}"
            )
        if self.root is not None:
            labelled = ", ".join(one.label for one in self.gpus) or "none"
            lines.append(
                f"  create the container from its root of {manifest.template} {manifest.version}: "
                f"{self.root.part.files} files, {format_size(self.root.part.content_bytes)}, "
                f"GPUs: {labelled}"
            )
            lines.append("  start it and wait until ssh answers")
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """All files are there: a run was killed after it had started the container, or just before."""

    backup: Backup

    def __str__(self) -> str:
        return (
            f"{self.backup.name}: finish the restore of the backup {self.backup.id}\n"
            "  its files are there; start it and wait until ssh answers"
        )


def plan(
    backup: Backup, facts: Facts, *, only: Half | None = None, gpus: GpuSelection | None = None
) -> Plan:
    """ONLY: the half that is restored; None for both. GPUS: None for as many as it had."""
    manifest = backup.manifest
    _refuse_existing(manifest.name, manifest.account, facts, only)
    root = None if only is Half.HOME else _root_of(backup)
    ids, noted = _ids(manifest, facts)
    home = None if only is Half.ROOT else _new_home(backup, facts, ids)
    _refuse_without_room(manifest, facts, with_home=home is not None, root=root)
    if root is None:
        return Plan(backup=backup, ids=ids, home=home, notes=noted)
    _refuse_missing(root.wish.devices, facts)
    wish = gpus or GpuSelection(count=root.gpus)
    known = facts.gpus
    granted = allocate(wish, known.host.gpus, known.users, known.policy, name=manifest.name)
    mac = taken_macs(root, facts)
    if mac:
        noted = (*noted, "another instance has its MAC address: it gets another")
    spec = InstanceSpec(
        name=manifest.name,
        config={**config_of(backup, root, facts, granted, mac), **ids.config},
        devices=devices_for(root, facts, granted),
        profiles=root.wish.profiles,
        description=root.wish.description,
    )
    return Plan(backup=backup, ids=ids, home=home, root=root, spec=spec, gpus=granted, notes=noted)


def map_of(ids: IdRange) -> str:
    """As LXD writes maps."""
    both = ({"Isuid": True, "Isgid": False}, {"Isuid": False, "Isgid": True})
    entries = [{**one, "Hostid": ids.base, "Nsid": 0, "Maprange": ids.size} for one in both]
    return json.dumps(entries, separators=(",", ":"))


def _refuse_existing(name: str, account: str, facts: Facts, only: Half | None) -> None:
    there = next((one for one in facts.instances if one.name.lower() == name.lower()), None)
    if there is not None:
        raise InputError(
            f'The container "{there.name}" exists, and is not overwritten by a backup.',
            fix=f"To bring back earlier files of it: invoke snapshots {name}, then invoke restore\n"
            f"To replace it by the backup: invoke destroy {name}, then this command with --root "
            "(its home is kept)",
        )
    if only is Half.ROOT and facts.home is None:
        raise InputError(
            f"{name} has no kept home.", fix="Leave --root out: its home is restored, too."
        )
    if facts.home is not None and only is Half.ROOT:
        _refuse_others_home(facts.home, account)
    if only is not Half.ROOT and facts.home is not None:
        raise InputError(
            f"{name} has a kept home: the volume {facts.home.name} in pool {facts.home.pool}.",
            details="A home with files is never overwritten.",
            fix="Restore the root alone, with that home: --root\n"
            f"or remove that home first: invoke destroy {name} --purge",
        )


def _refuse_others_home(home: Volume, account: str) -> None:
    owner = home.config.get(labels.OWNER)
    if owner != account:
        raise InputError(
            f"The kept home {home.name} is of the account {owner}, the backup of {account}.",
            fix="Choose a backup of the same person: invoke backups",
        )


def _root_of(backup: Backup) -> Root:
    if backup.manifest.root is None:
        raise InputError(
            f"The backup {backup.id} of {backup.name} has a home and no root.",
            details="It was made when the container was removed already.",
            fix=f"Restore the home alone: --home. Then: invoke provision {backup.name}",
        )
    return backup.manifest.root


def _ids(manifest: Manifest, facts: Facts) -> tuple[IdRange, tuple[str, ...]]:
    """Those that its person has had, where they are nobody else's."""
    place = (facts.home.pool, facts.home.name) if facts.home else (facts.pool.name, facts.home_name)
    person = Person(project=facts.project, name=manifest.name, home=place)
    had = kept_range(facts.home.config) if facts.home else manifest.range
    ids = choose(facts.ids, person, had)
    if manifest.range is None or ids == manifest.range:
        return ids, ()
    told = f"its ids {manifest.range} are not free here: it gets {ids}"
    return ids, (told, "give it again the shares that it writes to: invoke share")


def _new_home(backup: Backup, facts: Facts, ids: IdRange) -> NewHome:
    manifest = backup.manifest
    config = {
        **home_marks(manifest.name, facts.project),
        labels.OWNER: manifest.account,
        labels.IDS: str(ids),
        labels.PHASE: labels.PREPARING,
        labels.BUILDER: me(),
        # No other command takes it for a home before it is whole.
        labels.UNCLEAN: "true",
        labels.FROM_BACKUP: backup.id,
        ON_VOLUME: map_of(ids),
    }
    had = manifest.root.wish.config if manifest.root else {}
    config |= {key: had[key] for key in TIME if key in had}
    if manifest.home.keys:
        config[labels.KEYS] = manifest.home.keys
    if manifest.home.size:
        config["size"] = manifest.home.size
    return NewHome(pool=facts.pool.name, name=facts.home_name, config=config, ids=ids)


def _refuse_without_room(
    manifest: Manifest, facts: Facts, *, with_home: bool, root: Root | None
) -> None:
    needed = manifest.home.part.content_bytes if with_home else 0
    needed += root.part.content_bytes if root else 0
    free = facts.pool.free_bytes
    if free is not None and free < needed:
        raise CapacityError(
            f"There is no room for the backup of {manifest.name} in the pool {facts.pool.name}.",
            details=f"It needs {format_size(needed)}; {format_size(free)} are free.",
            fix="Make room: invoke prune-images, invoke destroy NAME --purge, or a larger pool.",
        )
    if root and facts.images_free is not None and facts.images_free < root.part.size_bytes:
        raise CapacityError(
            "There is no room for the archive of the root in LXD's own directory.",
            details=f"It needs {format_size(root.part.size_bytes)} there for a moment; "
            f"{format_size(facts.images_free)} are free.",
            fix="Make room on the server's own disk.",
        )


def _refuse_missing(devices: Devices, facts: Facts) -> None:
    """What LXD would refuse, or would not start with."""
    missing = [*_missing_disks(devices, facts)]
    for name, device in of_type("nic", devices).items():
        plug = plug_of(device)
        if plug and plug not in facts.networks:
            missing.append(f"device {name}: there is no network {plug}")
    if missing:
        raise InputError(
            "This server lacks what the container had.",
            details="\n".join(missing),
            fix="Make or mount these first; they can be taken away again afterwards.",
        )


def _missing_disks(devices: Devices, facts: Facts) -> list[str]:
    found = []
    for name, device in of_type("disk", devices).items():
        source, pool = device.get("source", ""), device.get("pool", "")
        if device.get("path") in {HOME["path"], ROOT["path"]} or not source:
            continue
        if pool and (pool, source) not in facts.volumes:
            found.append(f"device {name}: there is no volume {source} in a pool {pool}")
        if not pool and source in facts.missing_paths:
            found.append(f"device {name}: there is no {source}")
    return found


def named_paths(root: Root | None) -> tuple[Path, ...]:
    """The server's own directories that the devices of ROOT name."""
    disks = of_type("disk", root.wish.devices).values() if root else ()
    return tuple(Path(one["source"]) for one in disks if "source" in one and not one.get("pool"))
