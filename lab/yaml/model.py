"""The kinds of values that people write in YAML files, as pydantic types."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from lab.errors import InputError
from lab.sizes import as_written
from lab.urls import URL, is_loopback, login_of, needs_escapes

_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._:+/~-]*", re.ASCII)
_PACKAGE: Final = re.compile(
    # NAME, NAME:ARCHITECTURE; of a version, or of a release of the distribution.
    r"[A-Za-z0-9][A-Za-z0-9@._:+/~-]*(?:=[A-Za-z0-9][A-Za-z0-9.+:~-]*)?",
    re.ASCII,
)
BASE: Final = "base"
"""Key of the validation context: the directory that relative paths start from."""


class StrictModel(BaseModel):
    """A mapping in a file, with `kebab-case` keys; every key must be known."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=lambda name: name.replace("_", "-"),
        # From Python, by the field's own name; `lab.yaml.load` allows the alias alone.
        validate_by_name=True,
        validate_by_alias=True,
    )


def value_error(text: str, *, hint: str = "") -> PydanticCustomError:
    """What a validator raises; TEXT goes on after the key: `must be …`, HINT ends the line."""
    # A literal template with the text as its value: braces in TEXT are no placeholders.
    return PydanticCustomError("refused", "{text}", {"text": text, "hint": hint})


def _matching(pattern: re.Pattern[str], text: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise value_error(text)
        return value

    return check


def _size(value: str) -> str:
    try:
        return as_written(value)
    except InputError as error:
        raise value_error(f"must be a size such as 20GiB ({error.details or error.fix})") from None


def _from_the_file(value: Path, info: ValidationInfo) -> Path:
    base = (info.context or {}).get(BASE, Path())
    return Path(base) / value.expanduser()


def _url(value: str) -> str:
    if not URL.fullmatch(value):
        raise value_error(
            "must be a URL such as https://mirror.example/debian",
            hint="; write %40 for an @ in its user or password, %3A for :, %25 for %"
            if needs_escapes(value)
            else "",
        )
    return value.rstrip("/")


def _seen_from_inside(value: str) -> str:
    if is_loopback(value):
        raise value_error(
            "must be an address that containers reach",
            hint=": in a container this address is the container itself. Let the server listen "
            "on the bridge (its address: `lxc network get lxdbr0 ipv4.address`) and write "
            "that address",
        )
    return value


def _login_for_apt(value: str) -> str:
    # apt_auth.conf(5) knows no quotes.
    if any(re.search(r"[^!-~]", part) for part in login_of(value) or ()):
        raise value_error("must have a user and a password without blanks and control characters")
    return value


def _without_login(value: str) -> str:
    if login_of(value):
        raise value_error(
            "must have no user and password",
            hint=": it stays in images, where every user reads it",
        )
    return value


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise value_error(f"must be a regular expression ({error})") from None
    return value


Word = Annotated[str, AfterValidator(_matching(_WORD, "must be one word of letters and digits"))]
"""Names of packages, units, suites: safe as an argument, never an option."""
Package = Annotated[
    str,
    AfterValidator(
        _matching(_PACKAGE, "must be the name of a package, such as curl or curl=7.88.1-10")
    ),
]
"""As apt-get install takes it: `NAME`, `NAME:ARCHITECTURE`, `NAME=VERSION`, `NAME/RELEASE`."""
Url = Annotated[str, AfterValidator(_url)]
"""http or https, without query and without a slash at its end."""
UrlInside = Annotated[Url, AfterValidator(_seen_from_inside)]
"""A URL that builders and containers use."""
AptUrl = Annotated[UrlInside, AfterValidator(_login_for_apt)]
"""One that apt uses; its user and password get to builders alone (lab/machine/apt_auth.py)."""
PublicUrl = Annotated[UrlInside, AfterValidator(_without_login)]
"""One that stays in images."""
Size = Annotated[str, AfterValidator(_size)]
"""As `lab.sizes` reads it; kept as written where LXD reads that, too."""
LocalPath = Annotated[Path, AfterValidator(_from_the_file)]
"""Relative to the file it is written in."""
PortNumber = Annotated[int, Field(ge=1, le=65535)]
Pattern = Annotated[str, AfterValidator(_pattern)]
"""A regular expression of Python."""
