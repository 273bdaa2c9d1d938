"""What a backup says of itself: whose it is, what the container is to be, and what belongs to it.

It is read from a disk that may be damaged, or mixed up by hand: everything in it is checked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from lab.errors import CheckError, InputError
from lab.lxd.idmap import IdRange, read_range
from lab.names import check_account, check_instance_name
from lab.printable import in_line

FORMAT: Final = 1
FILE: Final = "manifest.json"
_MOST: Final = 16 << 20
_CHECK: Final = "check"


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Part(_Told):
    """The root, or the home."""

    sha256: str
    """Of the archive, as it is stored."""
    size_bytes: int
    list_sha256: str
    """Of the list of its files, as it is stored."""
    files: int
    content_bytes: int


class ToldWish(_Told):
    """`provision.restoring.Wish`."""

    config: Mapping[str, str]
    devices: Mapping[str, Mapping[str, str]]
    profiles: tuple[str, ...]
    description: str


class Root(_Told):
    """What belongs to the root beside its files."""

    part: Part
    wish: ToldWish
    config: Mapping[str, str]
    """Keys that tell which release and which driver its files have; and cloud-init's id."""
    image: Mapping[str, str]
    """`metadata.yaml` and `templates/NAME`."""
    gpus: int
    """How many it had."""
    address: str
    """That it was reached at, where LXD gives it by DHCP."""
    running: bool


class Home(_Told):
    part: Part
    size: str | None
    """Its quota."""
    keys: str
    """`user.lab.keys`."""


class Manifest(_Told):
    format: int
    name: str
    account: str
    project: str
    taken_at: str
    """By the server's clock, ISO 8601."""
    host: str
    labstamp: str
    template: str
    version: str
    ids: str | None
    """`BASE:SIZE` of its person."""
    root: Root | None
    home: Home

    @property
    def when(self) -> datetime:
        return datetime.fromisoformat(self.taken_at)

    @property
    def range(self) -> IdRange | None:
        return read_range(self.ids)

    @property
    def parts(self) -> Mapping[str, Part]:
        """By what their files are called."""
        root = {"root": self.root.part} if self.root is not None else {}
        return {**root, "home": self.home.part}

    @property
    def stored_bytes(self) -> int:
        return sum(part.size_bytes for part in self.parts.values())

    @property
    def content_bytes(self) -> int:
        return sum(part.content_bytes for part in self.parts.values())

    def to_text(self) -> str:
        told = self.model_dump(mode="json")
        return json.dumps({**told, _CHECK: _check_of(told)}, indent=1, sort_keys=True) + "\n"


def read_manifest(directory: Path) -> Manifest:
    """CheckError with what is wrong with the one in DIRECTORY."""
    path = directory / FILE
    try:
        if path.is_symlink() or path.stat().st_size > _MOST:
            raise damaged(directory, f"{FILE} is not one of labstamp's.")
        told = json.loads(path.read_text(encoding="utf-8"))
        check = told.pop(_CHECK)
    except OSError as error:
        why = f"{FILE}: {error.strerror or error}"
        raise damaged(directory, why) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise damaged(directory, f"{FILE} cannot be read.") from error
    if isinstance(told, dict) and isinstance(told.get("format"), int) and told["format"] > FORMAT:
        raise InputError(
            f"The backup {directory} was made by a later labstamp.",
            fix="Use that version, or a later one.",
        )
    if check != _check_of(told):
        raise damaged(directory, f"{FILE} was changed.")
    return _checked(told, directory)


def damaged(directory: Path, why: str) -> CheckError:
    return CheckError(
        f"The backup {directory} is damaged.",
        details=why,
        fix="Use another one: invoke backups",
    )


def _checked(told: object, directory: Path) -> Manifest:
    try:
        # From JSON, since strict pydantic takes no list for a tuple.
        found = Manifest.model_validate_json(json.dumps(told))
        check_instance_name(found.name)
        check_account(found.account)
        assert found.when.tzinfo is not None  # noqa: S101 - told as any other value
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise damaged(directory, f"{FILE}: {in_line(where)}: {first['msg']}") from error
    except (InputError, ValueError, AssertionError) as error:
        raise damaged(directory, f"{FILE}: {in_line(str(error), most=200)}") from error
    return found


def _check_of(told: object) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
