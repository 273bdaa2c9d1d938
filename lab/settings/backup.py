"""`backup:` in lab.yaml: where backups go, when they are made by themselves, how many stay."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator

from lab.yaml.model import LocalPath, StrictModel, value_error

_WHEN: Final = re.compile(r"[A-Za-z0-9*,./:~ -]{1,60}", re.ASCII)
_MOST: Final = 1000
RESTIC: Final = "restic:"


def _absolute(value: str) -> str:
    if value.startswith(RESTIC) and len(value) > len(RESTIC):
        return value
    if not Path(value).is_absolute() or "\0" in value or "\n" in value:
        raise value_error("must be an absolute path such as /srv/backups, or restic:REPOSITORY")
    return value


def _when(value: str) -> str:
    if not _WHEN.fullmatch(value):
        raise value_error("must be a time as in systemd.time(7), such as 03:30 or Sun 03:30")
    return value


def _count(value: int) -> int:
    if not 0 <= value <= _MOST:
        raise value_error(f"must be a number from 0 to {_MOST}")
    return value


Count = Annotated[int, AfterValidator(_count)]


class KeepSettings(StrictModel):
    """How many backups of each person stay; the newest of each day, week and month count."""

    last: Count = 3
    daily: Count = 7
    weekly: Count = 4
    monthly: Count = 6


class BackupSettings(StrictModel):
    to: Annotated[str, AfterValidator(_absolute)] | None = None
    """A directory, or `restic:` and a repository."""
    when: Annotated[str, AfterValidator(_when)] = "03:30"
    """For the timer, as systemd writes times."""
    keep: KeepSettings = KeepSettings()
    password_file: LocalPath | None = None
    """Of the restic repository."""
    env_file: LocalPath | None = None
    """What restic needs to reach it, `NAME=value` a line."""
