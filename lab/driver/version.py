"""The NVIDIA driver of the host: which version its kernel module has."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from lab.hardware.nvidia import DRIVER_VERSION
from lab.lxd.model import Gpu
from lab.lxd.port import Lxd

MODULE = Path("/proc/driver/nvidia/version")

# `NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.261.03  Thu …`; open modules say
# `NVIDIA UNIX Open Kernel Module for x86_64  550.163.01  Release Build …`.
_VERSION = re.compile(rf"^NVRM version:.*?\s({DRIVER_VERSION})\s", re.MULTILINE)


def host_driver(lxd: Lxd, *, local: bool, module: Path = MODULE) -> str | None:
    """The loaded module's version, such as `535.261.03`; None where none is loaded.

    LOCAL: the daemon is on this machine, whose own files may tell what the daemon does not.
    """
    return driver_of(lxd.gpus(), local=local, module=module)


def driver_of(gpus: Iterable[Gpu], *, local: bool, module: Path = MODULE) -> str | None:
    """The same for who has the daemon's CARDS already: to list them takes a remote LXD a while."""
    told = next((gpu.driver for gpu in gpus if gpu.driver), None)
    return told or (module_version(module) if local else None)


def module_version(module: Path = MODULE) -> str | None:
    """What the kernel of this machine says; None where no module of NVIDIA's is loaded."""
    try:
        match = _VERSION.search(module.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    return match.group(1) if match else None
