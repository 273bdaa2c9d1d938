"""restic's program: how it is called, and what its errors mean.

Passwords and the address reach it by files and variables: no argument holds one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from lab.errors import CapacityError, Conflict, InputError, LabError, LxdError
from lab.printable import in_line
from lab.report import Report, Silent
from lab.settings.backup import BackupSettings

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_HIDDEN: Final = ("RESTIC_PASSWORD", "RESTIC_PASSWORD_COMMAND")
_WITH_US: Final = ("setpriv", "--pdeathsig", "INT", "--")
"""Were we killed, it would go on, and store files that the next run removes. After an interrupt it
gives its lock back."""
_SOME_MISSING: Final = 3
_DAMAGED: Final = (
    "ciphertext verification failed",
    "invalid data returned",
    "wrong hash",
    "not found in index",
    "not found in repository",
    "unexpected eof",
)
_PAUSE: Final = 2.0
PATIENCE: Final = 900.0
"""Seconds. Other servers' programs lock a repository for as long as they remove old backups."""


class Incomplete(LxdError):
    """restic made a snapshot in which files are missing."""


class Unreadable(LxdError):
    """What is in the repository is not what was stored there."""


class Program:
    """InputError where the settings name no password that is only root's to read."""

    def __init__(
        self,
        address: str,
        settings: BackupSettings,
        program: str,
        *,
        report: Report | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._address = address
        self._program = program
        self._environ = _environment(address, settings)
        self._report = report or Silent()
        self._patience = patience

    def run(
        self, words: Sequence[str], directory: Path | None = None, target: IO[bytes] | None = None
    ) -> str:
        """What it printed, where that does not go to TARGET. LabError where it fails.

        Locks of dead processes of this machine are removed, by restic's own rule; others are
        waited for.
        """
        deadline, tries = time.monotonic() + self._patience, 0
        while True:
            done = self._once(words, directory, target)
            if not done.returncode:
                return done.stdout.decode(errors="replace") if done.stdout else ""
            error = _refusal(self._address, words[0], done)
            tries += 1
            if not isinstance(error, Conflict) or (tries > 1 and time.monotonic() >= deadline):
                raise error
            if tries == 1:
                self._once(["unlock"])
                continue
            if tries == 2:
                self._report.say(f"Waiting for another program: {error.brief}")
            time.sleep(_PAUSE)

    def _once(
        self, words: Sequence[str], directory: Path | None = None, target: IO[bytes] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        if target is not None:
            target.seek(0)
            target.truncate()
        if shutil.which(self._program, path=self._environ.get("PATH")) is None:
            raise InputError(
                "The program restic is not there.", fix="Install it: sudo apt-get install restic"
            )
        return subprocess.run(
            [*_WITH_US, self._program, *words],
            cwd=directory,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=target or subprocess.PIPE,
            stderr=subprocess.PIPE,
            check=False,
        )


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


def _refusal(address: str, verb: str, done: subprocess.CompletedProcess[bytes]) -> LabError:
    said = done.stderr.decode(errors="replace")
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
    if "no space left" in text or "quota exceeded" in text:
        return CapacityError(
            f"There is no room in the restic repository {address}.",
            details=lines,
            fix="Make room there, or keep fewer backups: `backup: {keep: …}` in lab.yaml.",
        )
    if "already locked" in text:
        return Conflict(
            f"The restic repository {address} is locked by another program.",
            details=lines,
            fix="Wait until that ends. If it no longer exists: restic unlock",
        )
    return _failure(address, verb, done.returncode, lines)


def _failure(address: str, verb: str, code: int, lines: str) -> LabError:
    if verb == "backup" and code == _SOME_MISSING:
        return Incomplete("restic could not read all files of the backup.", details=lines)
    if any(sign in lines.lower() for sign in _DAMAGED):
        return Unreadable(f"The restic repository {address} is damaged.", details=lines)
    return LxdError(f"restic could not do this: {verb}.", details=lines)
