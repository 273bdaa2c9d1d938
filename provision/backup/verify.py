"""`verify-backup`: a backup is restored where nobody can reach it, compared file by file, booted.

It is in a project of its own and gets no network, no GPU, no share, and ids that no person has; it
is removed afterwards. The result is written beside the backup.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from lab import labels
from lab.errors import CapacityError, CheckError, LabError, LxdError
from lab.instances.boot import wait_for_init
from lab.instances.own_projects import own_project
from lab.instances.removal import remove_instance, remove_volume
from lab.lxd.devices import NO_DEVICE, ROOT, required_pool, root_of
from lab.lxd.idmap import ON_VOLUME, IdRange, trial_range
from lab.lxd.model import InstanceSpec, Pool, Profile
from lab.lxd.port import Lxd
from lab.process import is_alive, me
from lab.report import Report
from lab.settings.settings import Settings
from lab.sizes import format_size
from lab.tempdir import remove_dead_directories, temp_directory
from provision.backup.describe import home_tree, root_tree
from provision.backup.directory import Backup, Directory, Verdict
from provision.backup.manifest import Root
from provision.backup.pack import (
    Tree,
    Unpack,
    as_check_error,
    check_stored,
    differences,
    list_tree,
    unpack_home,
)
from provision.backup.restore_plan import map_of
from provision.backup.root_image import clear_images, root_image
from provision.backup.take import backup_lock
from provision.homes import HOME
from provision.ids.facts import read_ids

PROJECT: Final = "labstamp-verify"
_PREFIX: Final = f"{PROJECT}-"
_KEPT = ("limits.", "security.nesting", "security.syscalls.intercept")
"""What of the wish may matter for a boot, and gives nothing away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """How trees are written and read."""

    unpack: Unpack = unpack_home
    list: Callable[[Tree, Path], object] = list_tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    lxd: Lxd
    backup: Backup
    pool: Pool
    ids: IdRange
    report: Report
    means: Means

    @property
    def name(self) -> str:
        """Of instance and volume: another for each process. LXD takes 63 letters at most."""
        own = me().split(" ")[1]
        return f"{_PREFIX}{own}-{self.backup.name}"[:63].rstrip("-")

    @property
    def marks(self) -> dict[str, str]:
        return {
            labels.PHASE: labels.PREPARING,
            labels.BUILDER: me(),
            labels.FROM_BACKUP: f"{self.backup.name} {self.backup.id}",
        }


def verify(
    lxd: Lxd,
    settings: Settings,
    backup: Backup,
    store: Directory,
    report: Report,
    *,
    means: Means | None = None,
) -> Verdict:
    """What was found, also noted beside BACKUP. CapacityError and LxdError tell nothing of it."""
    store.insist()
    with backup_lock(settings, backup.name, report):
        report.phase(backup.name, "check the backup")
        found: tuple[str, ...] = ()
        try:
            check_stored(backup)
            apart = own_project(lxd, PROJECT)
            _clear(apart)
            clear_images(apart)
            trial = Trial(
                lxd=apart,
                backup=backup,
                pool=_pool(lxd, settings),
                ids=_trial_ids(lxd),
                report=report,
                means=means or Means(),
            )
            found = _restored(trial)
        except CheckError as error:
            found = tuple((error.details or error.brief).splitlines())
        verdict = Verdict(at=lxd.now().isoformat(), good=not found, found=found)
        store.note(backup, verdict)
        if found:
            report.failed(backup.name, f"the backup {backup.id} is not good: {found[0]}")
        else:
            files = sum(part.files for part in backup.manifest.parts.values())
            report.done(backup.name, f"the backup {backup.id} is good: {files} files compared")
        return verdict


def failure(backup: Backup, verdict: Verdict) -> CheckError | None:
    if verdict.good:
        return None
    return CheckError(
        f"The backup {backup.id} of {backup.name} is not good.",
        details="\n".join(verdict.found),
        fix=f"Make another one: invoke backup {backup.name}",
    )


def _restored(trial: Trial) -> tuple[str, ...]:
    lxd, backup, root = trial.lxd, trial.backup, trial.backup.manifest.root
    _refuse_without_room(backup, trial.pool)
    with temp_directory() as scratch, ExitStack() as undo:
        home = _home(trial, undo)
        found = [*_compared(trial, "home", home, scratch)]
        if root is None:
            return tuple(found)
        spec = _spec(trial, root)
        with root_image(lxd, backup, root, trial.report) as image:
            undo.callback(partial(remove_instance, lxd, spec.name))
            instance = lxd.create(replace(spec, image=image))
        found += _compared(trial, "root", root_tree(lxd, instance), scratch)
        if not found:
            found += _booted(trial)
        return tuple(found)


def _compared(trial: Trial, part: str, tree: Tree, scratch: Path) -> tuple[str, ...]:
    backup = trial.backup
    trial.report.phase(backup.name, f"compare its {part}")
    now = scratch / f"{part}.files.zst"
    trial.means.list(tree, now)
    return tuple(f"{part}: {line}" for line in differences(backup.list(part), now))


def _booted(trial: Trial) -> tuple[str, ...]:
    trial.report.phase(trial.backup.name, "boot")
    try:
        trial.lxd.start(trial.name)
        wait_for_init(trial.lxd, trial.name)
    except LabError as error:
        return (f"it does not boot: {error.brief}",)
    return ()


def _home(trial: Trial, undo: ExitStack) -> Tree:
    lxd, pool, backup = trial.lxd, trial.pool.name, trial.backup
    undo.callback(partial(remove_volume, lxd, pool, trial.name))
    lxd.create_volume(pool, trial.name, {**trial.marks, ON_VOLUME: map_of(trial.ids)})
    volume = next(one for one in lxd.volumes(pool) if one.name == trial.name)
    trial.report.phase(backup.name, "unpack its home")
    tree = Tree(place=home_tree(lxd, volume).place, range=trial.ids)
    try:
        trial.means.unpack(backup, tree)
    except LxdError as error:
        raise as_check_error(error, backup) from error
    return tree


def _spec(trial: Trial, root: Root) -> InstanceSpec:
    """Without its image."""
    profile = trial.lxd.profile("default") or Profile(name="default")
    own = root_of(profile.devices)
    devices = {
        **dict.fromkeys(profile.devices, NO_DEVICE),
        own[0] if own else "root": {**ROOT, "pool": trial.pool.name},
        "home": {**HOME, "pool": trial.pool.name, "source": trial.name},
    }
    config = {key: value for key, value in root.wish.config.items() if key.startswith(_KEPT)}
    safe = {"security.privileged": "false", "boot.autostart": "false"}
    return InstanceSpec(
        name=trial.name,
        config={**config, **safe, **trial.marks, **trial.ids.config},
        devices=devices,
        description=f"a check of a backup of {trial.backup.name}",
    )


def _clear(lxd: Lxd) -> None:
    """What killed runs left."""
    remove_dead_directories()
    for instance in lxd.instances():
        if instance.name.startswith(_PREFIX) and _is_dead(instance.config):
            remove_instance(lxd, instance.name)
    for pool in lxd.pools():
        for volume in lxd.volumes(pool.name):
            if volume.name.startswith(_PREFIX) and _is_dead(volume.config):
                remove_volume(lxd, pool.name, volume.name)


def _is_dead(config: Mapping[str, str]) -> bool:
    return labels.FROM_BACKUP in config and is_alive(config.get(labels.BUILDER, "")) is False


def _trial_ids(lxd: Lxd) -> IdRange:
    whole = read_ids(lxd).whole
    found = trial_range(whole) if whole is not None else None
    if found is None:
        raise CapacityError(
            "LXD has too few ids for an instance that nobody else shares them with.",
            fix="Give root more in /etc/subuid and /etc/subgid and restart LXD.",
        )
    return found


def _pool(lxd: Lxd, settings: Settings) -> Pool:
    profile = lxd.profile("default") or Profile(name="default")
    return required_pool(settings.pool, profile.devices, lxd.pools())


def _refuse_without_room(backup: Backup, pool: Pool) -> None:
    needed, free = backup.manifest.content_bytes, pool.free_bytes
    if free is not None and free < needed:
        raise CapacityError(
            f"There is no room to restore the backup of {backup.name} for a check.",
            details=f"It needs {format_size(needed)} in the pool {pool.name}; "
            f"{format_size(free)} are free.",
            fix="Make room there, then run the same command again.",
        )
