"""Backups in a directory: PLACE/labstamp-backup/NAME/WHEN/, each whole or not there.

One is written into a hidden directory that says who writes it, flushed, and renamed last. Only what
bears that note, and has a dead writer, is cleared away.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from lab.errors import CapacityError, Conflict, InputError, LabError
from lab.machine.ownership import ROOT_ALONE, faults
from lab.names import check_instance_name
from lab.process import is_alive, me
from provision.backup.manifest import FILE, Manifest, read_manifest

TOP: Final = "labstamp-backup"
VERIFIED: Final = "verified.json"
KEPT: Final = "kept"
_MAKING: Final = ".making-"
_LEAVING: Final = ".removing-"
_BUILDER: Final = "builder"
_STAMP: Final = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How `verify-backup` ended."""

    at: str
    good: bool
    found: tuple[str, ...] = ()
    """What was wrong, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One that is whole, as far as its manifest tells."""

    place: Path
    manifest: Manifest
    verdict: Verdict | None = None
    kept: bool = False
    """Until an admin removes it: its person is gone."""

    @property
    def id(self) -> str:
        return self.place.name

    @property
    def name(self) -> str:
        return self.manifest.name

    def archive(self, part: str) -> Path:
        return self.place / f"{part}.tar.zst"

    def list(self, part: str) -> Path:
        return self.place / f"{part}.files.zst"


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged:
    """A directory among backups that is none, and why."""

    place: Path
    why: str

    @property
    def id(self) -> str:
        return self.place.name


class Directory:
    """The backups in one directory of this machine."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.top = place / TOP

    def insist(self) -> None:
        """InputError unless root alone may write there: what is restored runs in containers."""
        if not self.place.is_dir():
            raise InputError(
                f"There is no directory {self.place} for backups.",
                fix=f"Make it, or mount its disk: mkdir {self.place}",
            )
        if os.geteuid() == 0 and (found := next(iter(faults([self.place], (), ROOT_ALONE)), None)):
            raise InputError(
                "Another account may change the backups, and so what is restored from them.",
                details=str(found),
                fix=found.command,
            )

    def names(self) -> tuple[str, ...]:
        """Of those who have a backup."""
        with suppress(FileNotFoundError, NotADirectoryError):
            return tuple(sorted(one.name for one in self.top.iterdir() if _is_name(one)))
        return ()

    def of(self, name: str) -> tuple[Backup | Damaged, ...]:
        """The oldest first."""
        return tuple(_read(self.top / name / one, name) for one in self.ids(name))

    def ids(self, name: str) -> tuple[str, ...]:
        """Of the same, unread."""
        with suppress(FileNotFoundError, NotADirectoryError):
            there = sorted(one.name for one in (self.top / name).iterdir())
            return tuple(one for one in there if not one.startswith("."))
        return ()

    def new_id(self, name: str, now: datetime) -> str:
        wanted = now.strftime(_STAMP)
        numbered = (f"{wanted}-{number}" for number in range(2, 1000))
        return next(
            one for one in (wanted, *numbered) if not os.path.lexists(self.top / name / one)
        )

    @contextmanager
    def making(self, name: str, stamp: str) -> Iterator[Path]:
        """A directory for a backup, which is there under its name once the block has ended."""
        person = self.top / name
        place = person / f"{_MAKING}{stamp}"
        try:
            for each in (self.top, person):
                each.mkdir(mode=0o700, exist_ok=True)
            place.mkdir(mode=0o700)
        except OSError as error:
            raise _refusal(place, error) from error
        try:
            _write(place / _BUILDER, me())
            yield place
            (place / _BUILDER).unlink()
            _flush(place)
            place.rename(person / stamp)
            _flush(person)
        except BaseException as error:
            shutil.rmtree(place, ignore_errors=True)
            with suppress(OSError):
                person.rmdir()
            if isinstance(error, OSError):
                raise _refusal(place, error) from error
            raise

    def clear(self, name: str) -> int:
        """Remove what dead runs left of NAME's; how many."""
        count = 0
        with suppress(FileNotFoundError):
            for place in (self.top / name).iterdir():
                if _is_left(place):
                    shutil.rmtree(place, ignore_errors=True)
                    count += 1
        return count

    def remove(self, backup: Backup | Damaged) -> None:
        """Under a hidden name first, so that a half of it is never taken for a backup."""
        leaving = backup.place.with_name(f"{_LEAVING}{backup.id}")
        backup.place.rename(leaving)
        shutil.rmtree(leaving)

    def note(self, backup: Backup, verdict: Verdict) -> None:
        told = {"at": verdict.at, "good": verdict.good, "found": list(verdict.found)}
        new = backup.place / f".{VERIFIED}"
        _write(new, json.dumps(told, indent=1) + "\n")
        new.replace(backup.place / VERIFIED)
        _flush(backup.place)

    def keep(self, name: str, backup: str) -> None:
        place = self.top / name / backup
        _write(place / KEPT, "")
        _flush(place)

    def free_bytes(self) -> int:
        return shutil.disk_usage(self.place).free


def write_manifest(place: Path, manifest: Manifest) -> None:
    _write(place / FILE, manifest.to_text())


def _read(place: Path, name: str) -> Backup | Damaged:
    try:
        if place.is_symlink() or not place.is_dir():
            return Damaged(place=place, why="it is not a directory")
        manifest = read_manifest(place)
    except LabError as error:
        return Damaged(place=place, why=error.details or error.brief)
    if manifest.name != name:
        return Damaged(place=place, why=f"it is a backup of {manifest.name}")
    kept = (place / KEPT).exists()
    return Backup(place=place, manifest=manifest, verdict=_verdict(place), kept=kept)


def _verdict(place: Path) -> Verdict | None:
    try:
        told = json.loads((place / VERIFIED).read_text(encoding="utf-8"))
        return Verdict(
            at=str(told["at"]), good=told["good"] is True, found=tuple(map(str, told["found"]))
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _is_name(place: Path) -> bool:
    try:
        check_instance_name(place.name)
    except InputError:
        return False
    return place.is_dir() and not place.is_symlink()


def _is_left(place: Path) -> bool:
    if place.is_symlink() or not place.is_dir():
        return False
    if place.name.startswith(_LEAVING):
        return True
    if not place.name.startswith(_MAKING):
        return False
    try:
        builder = (place / _BUILDER).read_text(encoding="utf-8")
    except OSError:
        # It was killed before it said so; or it is whole but for its name.
        return True
    return is_alive(builder) is False


def _refusal(place: Path, error: OSError) -> LabError:
    brief = f"{error.filename or place} cannot be written: {error.strerror or error}."
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return CapacityError(brief, fix="Make room there, or choose another directory.")
    if isinstance(error, FileExistsError) and Path(error.filename) == place:
        return Conflict(f"Another run writes {place}.", fix="Wait until it ends.")
    return InputError(brief, fix="Choose a directory that can be written: --to DIRECTORY")


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _flush(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
