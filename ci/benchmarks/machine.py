"""The machine that was measured on, in words."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ci.benchmarks.lxc import query
from lab.machine.host import os_release
from lab.sizes import format_size


def describe_machine(note: str, *, with_packer: bool = True) -> Mapping[str, str]:
    """Facts by label. LXD must be running still."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    pool = query("/1.0/storage-pools?recursion=1")[0]
    facts = {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": format_size(pages),
        "system": f"{os_release().get('PRETTY_NAME', 'unknown')}, Linux {platform.release()}",
        "LXD": query("/1.0")["environment"]["server_version"],
        "pool": f"{pool['driver']}, {pool['config'].get('size', '')} in a sparse file",
        **({"Packer": _packer()} if with_packer else {}),
        "labstamp": _said("git", "describe", "--always", "--abbrev=12"),
    }
    return {**facts, "note": note} if note else facts


def _packer() -> str:
    return _said("packer", "version").splitlines()[0].removeprefix("Packer ")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _said(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
