"""`shares:` and `share-paths:` in lab.yaml: what several containers have in common, and where."""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, model_validator

from lab.yaml.model import StrictModel, Word, value_error

NONE: Final = "none"
"""In place of names: no share at all."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,30}", re.ASCII)
_VOLUME: Final = re.compile(r"([A-Za-z0-9][\w.-]*)/([A-Za-z0-9][\w.-]*)", re.ASCII)
_PATH: Final = re.compile(r"/[^\x00-\x1f\x7f,:]*")

# Whoever may write in one of these becomes root of the server, or of every container.
_SYSTEM: Final = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/lost+found"),
    *("/proc", "/root", "/run", "/sbin", "/snap", "/sys", "/usr"),
    *("/var/backups", "/var/cache", "/var/lib", "/var/lock", "/var/log", "/var/mail"),
    *("/var/run", "/var/snap", "/var/spool", "/var/tmp"),  # noqa: S108
)
_INSIDE: Final = (*_SYSTEM, "/tmp")  # noqa: S108 - no file is made there


class ShareKind(str, Enum):
    """Who may do what in a share."""

    READ_ONLY = "read-only"
    """Everybody reads, nobody writes."""
    PRIVATE = "private-files"
    """Everybody writes; what is in it belongs to whoever made it."""
    OPEN = "open"
    """Everybody who has it may change everything in it."""


def is_systems(path: str, more: Sequence[str] = ()) -> bool:
    """Whether PATH is a directory of the system, in one, or has one in it. MORE: others of them."""
    return path == "/" or any(
        is_below(path, one) or is_below(one, path) for one in (*_SYSTEM, *more)
    )


def is_below(path: str, top: str) -> bool:
    """Also of TOP itself. By their names alone."""
    return path == top or path.startswith(f"{top.rstrip('/')}/")


def _plain(value: str) -> str:
    if not _PATH.fullmatch(value) or value != os.path.normpath(value) or value.startswith("//"):
        raise value_error('must be an absolute path such as /data/team, without ".." or a comma')
    return value


def _of_the_server(value: str) -> str:
    if is_systems(_plain(value)):
        raise value_error("must not be a directory of the system", hint=": use one below /data")
    return value


def _inside(value: str) -> str:
    path = _plain(value)
    if re.search(r"\s", path):
        raise value_error("must have no blanks", hint=": name another place with at:")
    taken = path in {"/", "/home", "/var"} or any(is_below(path, one) for one in _INSIDE)
    if taken:
        raise value_error(
            "must not be a directory of the system", hint=": use one such as /data/team"
        )
    return path


def _kind(value: object) -> object:
    kinds = [one.value for one in ShareKind]
    if isinstance(value, ShareKind):
        return value
    if value not in kinds:
        raise value_error(f"must be {', '.join(kinds[:-1])} or {kinds[-1]}")
    return ShareKind(value)


def _volume(value: object) -> object:
    if isinstance(value, tuple):
        return value
    found = _VOLUME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise value_error("must be the pool and the name of a volume, such as default/datasets")
    return found.groups()


def share_name(value: str) -> str:
    if value == NONE or not _NAME.fullmatch(value):
        raise value_error("must have lower-case letters, digits and dashes only")
    return value


ServerPath = Annotated[str, AfterValidator(_of_the_server)]
"""A directory of the server that containers may have. Text: nothing in it is the lab's own file."""
ShareName = Annotated[str, AfterValidator(share_name)]


class ShareSettings(StrictModel):
    """One share: a directory of the server, or a volume of LXD's."""

    path: ServerPath | None = None
    volume: (
        Annotated[tuple[str, str], BeforeValidator(_volume), PlainSerializer("/".join)] | None
    ) = None
    """Pool and name, written `POOL/NAME`."""
    at: Annotated[str, AfterValidator(_inside)] | None = None
    kind: Annotated[
        ShareKind, BeforeValidator(_kind), PlainSerializer(lambda kind: str(kind.value))
    ]
    default: bool | tuple[Word, ...] = False
    """Whether a new container gets it where `--share` is not given: all, or those of templates."""

    @property
    def place(self) -> str:
        """Where it is inside."""
        return self.at or self.path or ""

    @model_validator(mode="after")
    def _placed(self) -> ShareSettings:
        if (self.path is None) == (self.volume is None):
            raise value_error("must have either path or volume")
        if self.at is None:
            if self.path is None:
                raise value_error("must have at: the place of the volume in containers")
            _inside(self.path)
        return self

    def is_default_of(self, template: str) -> bool:
        return self.default if isinstance(self.default, bool) else template in self.default


def refuse_outside(shares: Mapping[str, ShareSettings], allowed: Sequence[str]) -> None:
    """Where a share is in none of the ALLOWED directories."""
    for name, share in shares.items():
        if share.path and not any(is_below(share.path, top) for top in allowed):
            raise value_error(
                f"shares: {name}: {share.path} is in no directory of share-paths; "
                f"add there {share.path}, or a directory above it"
            )
