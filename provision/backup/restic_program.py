"""restic's program: how it is called, and what its errors mean.

Passwords and the address reach it by files and variables: no argument holds one.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from lab.errors import CapacityError, Conflict, InputError, LabError, LxdError
from lab.printable import in_line
from lab.settings.backup import BackupSettings

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_HIDDEN: Final = ("RESTIC_PASSWORD", "RESTIC_PASSWORD_COMMAND")


class Program:
    """InputError where the settings name no password that is only root's to read."""

    def __init__(self, address: str, settings: BackupSettings, program: str) -> None:
        self._address = address
        self._program = program
        self._environ = _environment(address, settings)

    def run(
        self, words: Sequence[str], directory: Path | None = None, target: IO[bytes] | None = None
    ) -> str:
        """What it printed, where that does not go to TARGET. LabError where it fails."""
        try:
            done = subprocess.run(
                [self._program, *words],
                cwd=directory,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=target or subprocess.PIPE,
                stderr=subprocess.PIPE,
                check=False,
            )
        except FileNotFoundError as error:
            raise InputError(
                "The program restic is not there.", fix="Install it: sudo apt-get install restic"
            ) from error
        if done.returncode:
            raise _refusal(self._address, words[0], done.stderr.decode(errors="replace"))
        return done.stdout.decode(errors="replace") if done.stdout else ""


def _environment(address: str, settings: BackupSettings) -> dict[str, str]:
    if settings.password_file is None:
        raise InputError(
            "The password of the restic repository is not known.",
            fix="Write it into a file that only root may read, and name that in lab.yaml: "
            "`backup: {password-file: /etc/labstamp/restic-password}`",
        )
    _insist_on_secret(settings.password_file)
    own = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    told = _variables(settings.env_file) if settings.env_file is not None else {}
    place = {"RESTIC_REPOSITORY": address, "RESTIC_PASSWORD_FILE": str(settings.password_file)}
    return {"HOME": "/root", **own, **told, **place}


def _variables(path: Path) -> Mapping[str, str]:
    _insist_on_secret(path)
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not _VARIABLE.fullmatch(name) or name in _HIDDEN:
            raise InputError(f"{path}:{number}: expected NAME=value, as restic reads it.")
        found[name] = value
    return found


def _insist_on_secret(path: Path) -> None:
    try:
        found = path.stat()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    if found.st_mode & 0o077 or found.st_uid != os.geteuid():
        raise InputError(
            f"Another account may read {path}, which holds a secret.",
            fix=f"Give it to root alone: chmod 600 {path}",
        )


def _refusal(address: str, verb: str, said: str) -> LabError:
    text = said.lower()
    lines = "\n".join(in_line(line, most=200) for line in said.strip().splitlines()[-4:])
    if "wrong password" in text or "no key found" in text:
        return InputError(
            f"The password does not open the restic repository {address}.",
            fix="Correct the file that `backup: {password-file: …}` in lab.yaml names.",
        )
    if "is there a repository" in text or "unable to open config" in text:
        return InputError(
            f"There is no restic repository {address}.",
            details=lines,
            fix="Correct the address, or make it: restic init (with RESTIC_REPOSITORY and "
            "RESTIC_PASSWORD_FILE set)",
        )
    if "already locked" in text or "unable to create lock" in text:
        return Conflict(
            f"The restic repository {address} is locked by another program.",
            details=lines,
            fix="Wait until that ends. If it no longer exists: restic unlock",
        )
    if "no space left" in text or "quota exceeded" in text:
        return CapacityError(f"There is no room in the restic repository {address}.", details=lines)
    return LxdError(f"restic could not do this: {verb}.", details=lines)
