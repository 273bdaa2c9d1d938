"""The NVIDIA driver of the host: which version its kernel module has."""

from __future__ import annotations

import re
from pathlib import Path

MODULE = Path("/proc/driver/nvidia/version")

# `NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.261.03  Thu …`; open modules say
# `NVIDIA UNIX Open Kernel Module for x86_64  550.163.01  Release Build …`.
_VERSION = re.compile(r"^NVRM version:.*?\s(\d{3,}\.\d+(?:\.\d+)?)\s", re.MULTILINE)


def host_driver(module: Path = MODULE) -> str | None:
    """The loaded module's version, such as `535.261.03`; None where none is loaded."""
    try:
        match = _VERSION.search(module.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    return match.group(1) if match else None
