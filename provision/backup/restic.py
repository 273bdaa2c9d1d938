"""Backups in a repository of restic's (https://restic.net), by its own program.

What goes there are the files of a directory backup, packed so that equal parts stay equal (`zstd
--rsyncable`): restic stores only what it does not have. Each backup is one snapshot with tags.
Passwords are in files; none is in an argument, and the address is not either.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Final

from lab.errors import CheckError, InputError, LabError
from lab.names import check_instance_name
from lab.report import Report
from lab.settings.backup import RESTIC, BackupSettings
from lab.tempdir import temp_directory
from provision.backup.choosing import choose
from provision.backup.directory import Backup, Damaged, Directory, Verdict
from provision.backup.manifest import FILE, read_manifest
from provision.backup.restic_program import PATIENCE, Incomplete, Program, Unreadable

_OURS: Final = "labstamp"
_NAME, _ID, _CHECKED = "name=", "id=", "checked="
_KEPT: Final = "kept"
_STAGE: Final = Path("/var/lib/labstamp-stage")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A snapshot of restic's that is a backup."""

    snapshot: str
    name: str
    id: str
    tags: tuple[str, ...]


class Restic:
    """A repository, and the directory in which a backup lies while it goes there or comes back."""

    def __init__(
        self,
        address: str,
        settings: BackupSettings,
        *,
        program: str = "restic",
        stage: Path = _STAGE,
        report: Report | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._address = address.removeprefix(RESTIC)
        self._made_of = (settings, program, patience)
        of_program = Program(self._address, settings, program, report=report, patience=patience)
        self._run = of_program.run
        self._stage = stage

    def telling(self, report: Report) -> Restic:
        """The same, which tells REPORT what it waits for."""
        settings, program, patience = self._made_of
        return Restic(
            self._address,
            settings,
            program=program,
            stage=self._stage,
            report=report,
            patience=patience,
        )

    @property
    def place(self) -> str:
        return f"the restic repository {self._address}"

    @property
    def stage(self) -> Directory:
        self._stage.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Directory(self._stage)

    def emptied(self, name: str) -> Directory:
        """The stage, without what killed runs had there of NAME. The caller holds its lock."""
        stage = self.stage
        stage.clear(name)
        for left in stage.of(name):
            stage.remove(left)
        return stage

    def insist(self) -> None:
        """LabError where it cannot be used: no program, no repository, another password."""
        self._snapshots()

    def names(self) -> tuple[str, ...]:
        return tuple(sorted({one.name for one in self._snapshots()}))

    def of(self, name: str) -> tuple[Backup | Damaged, ...]:
        """The oldest first. Their files are not here; only what their manifests say."""
        return tuple(self._told(one) for one in self._snapshots(name))

    def ids(self, name: str) -> tuple[str, ...]:
        """Of the same; no manifest is fetched."""
        return tuple(one.id for one in self._snapshots(name))

    def push(self, backup: Backup) -> int:
        """How many bytes were new to the repository. What it has no whole one of is forgotten."""
        tags = [_OURS, f"{_NAME}{backup.name}", f"{_ID}{backup.id}"]
        words = [word for tag in tags for word in ("--tag", tag)]
        try:
            said = self._run(["backup", "--json", *words, "--host", "labstamp", "."], backup.place)
        except Incomplete:
            self._forget([backup])
            raise
        for line in reversed(said.splitlines()):
            told = _json(line)
            if isinstance(told, dict) and told.get("message_type") == "summary":
                return int(told.get("data_added", 0))
        return 0

    @contextmanager
    def fetched(self, name: str, wanted: str | None) -> Iterator[Backup]:
        """The files of a backup in the stage, for as long as they are needed.

        The caller holds the stage's lock. CheckError where the repository has them no more.
        """
        stage = self.emptied(name)
        chosen = choose(self.of(name), name, wanted)
        stored = next(one for one in self._snapshots(name) if one.id == chosen.id)
        try:
            with stage.making(name, chosen.id) as place:
                for file in (FILE, *_files(chosen)):
                    with (place / file).open("wb") as target:
                        (place / file).chmod(0o600)
                        self._dump(stored, file, target)
        except Unreadable as error:
            raise CheckError(
                f"The backup {chosen.id} of {name} is damaged.",
                details=error.details or error.brief,
                fix=f"Make another one: invoke backup {name}",
            ) from error
        backup = replace(chosen, place=stage.top / name / chosen.id)
        try:
            yield backup
        finally:
            stage.remove(backup)

    def note(self, backup: Backup, verdict: Verdict) -> None:
        for one in self._snapshots(backup.name):
            if one.id == backup.id:
                before = [tag for tag in one.tags if tag.startswith(_CHECKED)]
                removed = [word for tag in before for word in ("--remove", tag)]
                state = "good" if verdict.good else "bad"
                added = ["--add", f"{_CHECKED}{state}@{verdict.at}"]
                self._run(["tag", *removed, *added, one.snapshot])

    def keep(self, name: str, backup: str) -> None:
        for one in self._snapshots(name):
            if one.id == backup and _KEPT not in one.tags:
                self._run(["tag", "--add", _KEPT, one.snapshot])

    def remove(self, backups: Sequence[Backup]) -> None:
        self._forget(backups, "--prune")

    def _forget(self, backups: Sequence[Backup], *more: str) -> None:
        wanted = {(one.name, one.id) for one in backups}
        ids = [one.snapshot for one in self._snapshots() if (one.name, one.id) in wanted]
        if ids:
            self._run(["forget", *more, *ids])

    def _told(self, stored: Stored) -> Backup | Damaged:
        place = self._stage / stored.name / stored.id
        try:
            with temp_directory() as scratch:
                with (scratch / FILE).open("wb") as target:
                    self._dump(stored, FILE, target)
                manifest = read_manifest(scratch)
        except LabError as error:
            return Damaged(place=place, why=error.details or error.brief)
        if manifest.name != stored.name:
            return Damaged(place=place, why=f"it is a backup of {manifest.name}")
        verdict, kept = _verdict(stored.tags), _KEPT in stored.tags
        return Backup(place=place, manifest=manifest, verdict=verdict, kept=kept)

    def _snapshots(self, name: str | None = None) -> list[Stored]:
        tags = _OURS if name is None else f"{_OURS},{_NAME}{name}"
        told = _json(self._run(["snapshots", "--json", "--tag", tags]))
        found = [one for raw in told or () if (one := _stored(raw)) is not None]
        return sorted(found, key=lambda one: (one.name, one.id))

    def _dump(self, stored: Stored, file: str, target: IO[bytes]) -> None:
        self._run(["dump", stored.snapshot, f"/{file}"], target=target)
        target.flush()
        os.fsync(target.fileno())


def _stored(raw: Mapping[str, Any]) -> Stored | None:
    try:
        tags = tuple(map(str, raw["tags"]))
        name = next(tag.removeprefix(_NAME) for tag in tags if tag.startswith(_NAME))
        own = next(tag.removeprefix(_ID) for tag in tags if tag.startswith(_ID))
        check_instance_name(name)
        return Stored(snapshot=str(raw["id"]), name=name, id=own, tags=tags)
    except (KeyError, TypeError, StopIteration, InputError):
        return None


def _verdict(tags: Sequence[str]) -> Verdict | None:
    for tag in tags:
        if tag.startswith(_CHECKED):
            state, _, at = tag.removeprefix(_CHECKED).partition("@")
            return Verdict(at=at, good=state == "good")
    return None


def _files(backup: Backup) -> tuple[str, ...]:
    return tuple(
        path.name
        for part in backup.manifest.parts
        for path in (backup.archive(part), backup.list(part))
    )


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
