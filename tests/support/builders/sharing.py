"""Directories for shares, on a machine whose mounts a test writes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.machine.mounts import Mount
from lab.settings.limits import LimitSettings
from lab.settings.settings import Settings
from lab.shares.ground import Ground

NFS = "40 1 0:50 / {point} rw - nfs4 nas:/export rw\n"
ROOT = "1 0 8:1 / / rw - ext4 /dev/vda rw\n"


@dataclass
class Trials:
    """Passes each trial, or fails it as the file system at hand would."""

    error: Exception | None = None
    seen: list[tuple[str, str]] = field(default_factory=list)

    def owners(self, path: str, uid: int, mount: Mount) -> None:
        self._try("owners", path)

    def lists(self, path: str, ids: Sequence[int], mount: Mount) -> None:
        self._try("lists", path)

    def _try(self, what: str, path: str) -> None:
        self.seen.append((what, Path(path).name))
        if self.error is not None:
            raise self.error


def a_ground(directory: Path, trials: Trials | None = None, **given: Any) -> Ground:
    """This machine, as whoever runs the tests; its two tables of mounts are in DIRECTORY."""
    tried = trials or Trials()
    mounted, fstab = directory / "mountinfo", directory / "fstab"
    if not mounted.exists():
        mounted.write_text(ROOT)
        fstab.write_text("")
    return Ground(
        **{
            "owners": frozenset({0, os.geteuid()}),
            "mounted": mounted,
            "fstab": fstab,
            "lxd": lambda: directory / "lxd",
            "superuser": True,
            "try_owners": tried.owners,
            "try_lists": tried.lists,
            **given,
        }
    )


def share_settings(data: Path, **shares: object) -> Settings:
    """A lab with SHARES, each as in lab.yaml, in DATA."""
    return Settings.model_validate(
        {
            "limits": LimitSettings.model_validate({"memory": "256MiB", "processes": 3000}),
            "share-paths": (str(data),),
            "shares": shares,
        }
    )


def directory(path: Path, mode: int) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)
    return path
