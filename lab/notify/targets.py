"""The file of addresses: apprise's URLs, a line each. They hold secrets, so none is ever shown."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from lab.errors import InputError
from lab.own_files import trusted

MAIL: Final = "{mail}"
"""Stands in a URL for the address of the person whom a message is about."""
_LARGEST: Final = 64 << 10
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]{1,20})://", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    line: int
    url: str = field(repr=False)

    def __str__(self) -> str:
        """What may be said of it: `line 3 (mailtos)`."""
        scheme = _SCHEME.match(self.url)
        return f"line {self.line} ({scheme[1] if scheme else 'not a URL'})"

    @property
    def is_persons(self) -> bool:
        """Whether it leads to the person, and not to the lab."""
        return MAIL in self.url

    def url_for(self, mail: str | None) -> str | None:
        """None where it leads to a person without an address."""
        if not self.is_persons:
            return self.url
        return self.url.replace(MAIL, quote(mail, safe="")) if mail else None


def read_targets(path: Path) -> tuple[Target, ...]:
    """InputError unless PATH is a file that nobody else can read or change."""
    lines = _private_text(path).splitlines()
    return tuple(
        Target(line=number, url=text)
        for number, line in enumerate(lines, start=1)
        if (text := line.strip()) and not text.startswith("#")
    )


def _private_text(path: Path) -> str:
    try:
        # Another kind of file than a regular one must not hold us up.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise InputError(
            f"The addresses for messages cannot be read: {path}: {error.strerror}.",
            fix="Correct `notify: {urls-file: …}` in lab.yaml, or make that file: "
            f"install -m 600 /dev/null {path}",
        ) from error
    with os.fdopen(descriptor, "rb") as file:
        _insist_on_private(path, os.fstat(descriptor))
        try:
            return file.read(_LARGEST).decode()
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path} is not a text in UTF-8.", fix="Write one URL in each of its lines."
            ) from error


def _insist_on_private(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
        raise InputError(
            f"{path} is not a file of addresses.",
            details=f"It is not a regular file, or larger than {_LARGEST >> 10} KiB.",
            fix="Write one URL in each line of a regular file.",
        )
    if found.st_uid not in trusted() | {os.geteuid()}:
        raise InputError(
            f"{path} belongs to another account (uid {found.st_uid}).",
            details="The addresses in it hold secrets.",
            fix=f"Check what is in it, then: chown root: {path}",
        )
    if found.st_mode & 0o077:
        raise InputError(
            f"Other accounts can read or change {path}.",
            details="The addresses in it hold secrets. Replace those that others may have read.",
            fix=f"Close it: chmod 600 {path}",
        )
