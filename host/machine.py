"""This machine: its files below one root, and its commands. Tests put another in its place."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import InputError
from lab.lxd.model import Completed
from lab.machine.ownership import ROOT_ALONE

Run = Callable[[Sequence[str]], Completed]
"""Runs a command to its end; exit code 127 when there is no such command."""

_PATIENCE = 120.0


def run_here(argv: Sequence[str]) -> Completed:
    try:
        ended = subprocess.run(
            list(argv),
            # apt and systemctl speak the admin's language otherwise, and some of it is read.
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except (FileNotFoundError, PermissionError):  # the latter of a directory of PATH, too
        return Completed(exit_code=127, stdout="", stderr=f"{argv[0]}: not found")
    except subprocess.TimeoutExpired:
        return Completed(
            exit_code=124, stdout="", stderr=f"{argv[0]}: timed out after {_PATIENCE:.0f} s"
        )
    return Completed(exit_code=ended.returncode, stdout=ended.stdout, stderr=ended.stderr)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    root: Path = Path("/")
    run: Run = run_here
    superuser: bool = os.geteuid() == 0
    owners: frozenset[int] = ROOT_ALONE
    """Whose files may be what root runs unattended."""

    def at(self, path: str) -> Path:
        """PATH, absolute on the machine, as this process reaches it."""
        return self.root / path.lstrip("/")

    def text(self, path: str) -> str | None:
        """None when there is no such file, or it may not be read."""
        try:
            return self.at(path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None

    def names(self, path: str) -> tuple[str, ...]:
        """What the directory PATH holds; nothing when it is not there."""
        try:
            return tuple(sorted(entry.name for entry in self.at(path).iterdir()))
        except OSError:
            return ()

    @property
    def systemd_runs(self) -> bool:
        """As sd_booted(3) finds out."""
        return self.at("/run/systemd/system").is_dir()

    def require_root(self, command: str) -> None:
        """InputError unless this process may change the machine. COMMAND: what to type instead."""
        if not self.superuser:
            raise InputError(
                "This command changes files of the machine and needs root.", fix=command
            )


def as_root(command: str, machine: Machine) -> str:
    """COMMAND as this process's account must type it, with sudo if needed."""
    return command if machine.superuser else f"sudo {command}"
