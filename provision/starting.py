"""Starting a container that is there, and what it needs for that."""

from __future__ import annotations

from typing import Final

from lab.errors import LxdError
from lab.lxd.devices import of_type
from lab.lxd.model import Instance
from lab.lxd.port import Lxd
from lab.report import Report
from provision.filtered import EXPLAINED, needs_netfilter
from provision.gpu_view import refuse_without_gpus
from provision.lab_info import give_lab_info

_FULL_DISK: Final = ("disk quota exceeded", "no space left on device", "saving config file")
"""What LXD and liblxc say when they cannot write; the last is all of liblxc's message."""


def refuse_unstartable(lxd: Lxd, instance: Instance) -> None:
    """InputError where a GPU that INSTANCE has is missing: it would not start."""
    if of_type("gpu", instance.expanded_devices):
        refuse_without_gpus(instance, lxd.gpus())


def start_up(lxd: Lxd, name: str, report: Report) -> None:
    """Running afterwards; an LxdError whose reason is known says what to do."""
    give_lab_info(lxd, name, report)
    try:
        lxd.start(name)
    except LxdError as error:
        if needs_netfilter(error):
            raise LxdError(error.brief, details=error.details, fix=EXPLAINED) from error
        # LXD keeps files of its own on the container's root, within the user's quota (seen with
        # 5.0.2 on btrfs).
        if not any(sign in f"{error.details}".lower() for sign in _FULL_DISK):
            raise
        raise LxdError(
            error.brief,
            details=error.details,
            fix=f"Make room on its disk, which may be full: lxc file delete {name}/PATH",
        ) from error
