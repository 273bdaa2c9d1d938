"""Doing what a plan says of a home. What this very run made for a container that never started is
removed again where it fails; no other home ever is."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from lab import labels
from lab.errors import LabError
from lab.instances.removal import remove_volume
from lab.lxd.port import Lxd
from lab.process import me
from lab.report import Report
from provision.create.actions import CopyVolume, CreateVolume, RemoveCopy, ReuseVolume
from provision.homes import is_half_copied


def have_home(
    action: CreateVolume | CopyVolume | ReuseVolume | RemoveCopy,
    lxd: Lxd,
    report: Report,
    undo: ExitStack,
) -> None:
    match action:
        case CreateVolume() | CopyVolume():
            _create_volume(action, lxd, report, undo)
        case ReuseVolume(pool=pool, name=name, config=config) if config:
            lxd.update_volume(pool, name, config)
        case RemoveCopy(pool=pool, name=name):
            _remove_copy(lxd, pool, name)
        case _:
            pass


def _create_volume(
    action: CreateVolume | CopyVolume, lxd: Lxd, report: Report, undo: ExitStack
) -> None:
    # Registered first: an interruption may come while LXD makes it. The undoing removes only
    # what bears this process's mark.
    undo.callback(partial(_undo_volume, lxd, report, action.pool, action.name))
    if isinstance(action, CopyVolume):
        report.phase(action.name, "copy")
        lxd.copy_volume(action.source, action.pool, action.name, action.config)
    else:
        lxd.create_volume(action.pool, action.name, action.config)


def _remove_copy(lxd: Lxd, pool: str, name: str) -> None:
    for volume in lxd.volumes(pool):
        if volume.name == name and is_half_copied(volume):
            remove_volume(lxd, pool, name)


def _undo_volume(lxd: Lxd, report: Report, pool: str, name: str) -> None:
    try:
        for volume in lxd.volumes(pool):
            if volume.name != name:
                continue
            if volume.config.get(labels.BUILDER) == me():
                remove_volume(lxd, pool, name)
            else:
                report.say(f"The volume {name} (/home) is kept. The next run uses it.")
    except LabError as error:
        report.say(f"The volume {name} is still there; the next run removes it: {error.brief}")
