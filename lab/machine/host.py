"""What this machine's own files say of it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_ZONES: Final = "zoneinfo/"


def host_timezone(etc: Path = Path("/etc")) -> str:
    """The host's zone, such as `Asia/Shanghai`; `Etc/UTC` where nothing says."""
    # Debian 13 and later keep the link alone.
    try:
        link = str((etc / "localtime").readlink())
    except OSError:
        link = ""
    if _ZONES in link:
        return link.split(_ZONES, 1)[1]
    try:
        return (etc / "timezone").read_text(encoding="utf-8").strip() or "Etc/UTC"
    except OSError:
        return "Etc/UTC"


def os_release(path: Path = Path("/etc/os-release")) -> Mapping[str, str]:
    """The keys of os-release(5); none where there is no such file."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    facts = {}
    for line in lines:
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            facts[key] = " ".join(shlex.split(value))
    return facts
