"""The file: what is in it, and reading one that somebody may have changed or cut off."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from lab.errors import InputError
from lab.names import quote
from lab.own_files import insist
from lab.yaml.load import load_tree
from lab.yaml.model import StrictModel, value_error
from lab.yaml.problems import shown
from lab.yaml.tree import Tree, read_tree
from provision.lab_state.keys import is_saved, refused_reason

FORMAT: Final = 1
_MARK: Final = "labstamp-state"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}", re.ASCII)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", re.ASCII)
_NOT_YAML: Final = re.compile("[\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
"""What JSON may hold as it is, and YAML, as which it is read, may not."""


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise value_error("must be a name as LXD gives them")
    return value


def _time(value: str) -> str:
    if not _TIME.fullmatch(value):
        raise value_error("must be a time such as 2026-11-21T03:00:00+00:00")
    return value


def _saved(value: str) -> str:
    if not is_saved(value):
        raise value_error(f"is not among the keys that such a file holds{refused_reason(value)}")
    return value


Name = Annotated[str, AfterValidator(_name)]
Time = Annotated[str, AfterValidator(_time)]
Key = Annotated[str, AfterValidator(_saved)]
Keys = Mapping[Key, str]
AnyKeys = Mapping[str, str]
Devices = Mapping[Name, AnyKeys]


class SavedServer(StrictModel):
    name: str
    version: str


class SavedPool(StrictModel):
    driver: Name
    config: AnyKeys = Field(default_factory=dict)


class SavedProfile(StrictModel):
    config: AnyKeys = Field(default_factory=dict)
    devices: Devices = Field(default_factory=dict)


class SavedSnapshot(StrictModel):
    name: Name
    config: Keys = Field(default_factory=dict)


class SavedInstance(StrictModel):
    name: Name
    description: str = ""
    profiles: tuple[Name, ...] = ()
    config: Keys = Field(default_factory=dict)
    devices: Devices = Field(default_factory=dict)
    snapshots: tuple[SavedSnapshot, ...] = ()


class SavedVolume(StrictModel):
    pool: Name
    name: Name
    config: AnyKeys = Field(default_factory=dict)
    snapshots: tuple[SavedSnapshot, ...] = ()

    @property
    def place(self) -> tuple[str, str]:
        return self.pool, self.name


class SavedImage(StrictModel):
    fingerprint: Name
    aliases: tuple[str, ...] = ()
    properties: AnyKeys = Field(default_factory=dict)


class LabState(StrictModel):
    labstamp_state: Literal[1]
    written: Time
    """When reading LXD began, by its own clock."""
    labstamp: str
    server: SavedServer
    project: Name
    build_project: Name
    pools: Mapping[Name, SavedPool]
    projects: Mapping[Name, AnyKeys]
    acls: Mapping[Name, tuple[AnyKeys, ...]]
    networks: Mapping[Name, AnyKeys]
    profiles: Mapping[Name, SavedProfile]
    instances: tuple[SavedInstance, ...]
    volumes: tuple[SavedVolume, ...]
    images: tuple[SavedImage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """Which lab is meant, by the settings and the LXD that answers."""

    server: str
    project: str
    build_project: str


def as_text(state: LabState) -> str:
    """The whole file: JSON, a key a line, in an order that does not change by itself."""
    told = state.model_dump(mode="json", by_alias=True)
    text = json.dumps(told, indent=1, ensure_ascii=False)
    return _NOT_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def read_state(path: Path) -> LabState:
    """InputError with each line of the file at PATH that cannot be used."""
    # It says which directories of the server containers get: whoever writes it is root.
    insist("puts into containers", [path])
    tree = read_tree(path)
    _refuse_cut_off(path, tree)
    _refuse_other_formats(path, tree)
    state = load_tree(tree, LabState)
    _refuse_twice(path, "instances", (one.name for one in state.instances))
    _refuse_twice(path, "volumes", (f"{one.name} in {one.pool}" for one in state.volumes))
    return state


def refuse_another_lab(path: Path, state: LabState, here: Lab, *, moved: bool) -> None:
    """InputError unless STATE is of the lab HERE. MOVED: its pools are in another server now."""
    wrong = [
        f"{word}: {quote(was)} in the file, {quote(now)} here"
        for word, was, now in (
            ("project", state.project, here.project),
            ("build-project", state.build_project, here.build_project),
        )
        if was != now
    ]
    if wrong:
        raise InputError(
            f"{shown(path)} is of a lab with other settings.",
            details="\n".join(wrong),
            fix="Use the lab.yaml that this file was written with.",
        )
    if state.server.name != here.server and not moved:
        raise InputError(
            f"{shown(path)} is of the server {quote(state.server.name)}, "
            f"and this is {quote(here.server)}.",
            details="Nothing was changed.",
            fix="Add --moved if the disks of that server are in this one now.",
        )


def _refuse_cut_off(path: Path, tree: Tree) -> None:
    if tree.value is not None or not path.is_file():
        return
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 3))
        whole = file.read().rstrip().endswith(b"}")
    if not whole:
        details = "\n".join(map(str, tree.problems)) or f"{shown(path)}: is empty"
        raise InputError(
            f"{shown(path)} is cut off: its end is missing.",
            details=details,
            fix="Use an earlier file, or a copy of this one.",
        )


def _refuse_other_formats(path: Path, tree: Tree) -> None:
    if tree.value is None:
        return
    found = tree.value.get(_MARK) if isinstance(tree.value, dict) else None
    if found is None:
        raise InputError(
            f"{shown(path)} is not a file of `invoke export-state`.",
            details=f"It has no {_MARK}.",
        )
    if found != FORMAT:
        raise InputError(
            f"{shown(path)}:{tree.line((_MARK,))}: the format of this file is {found}.",
            details=f"This labstamp reads format {FORMAT}.",
            fix="Use the version of labstamp that wrote the file, which names it.",
        )


def _refuse_twice(path: Path, what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"{shown(path)}: {what}: {name} is in it twice.")
        seen.add(name)
