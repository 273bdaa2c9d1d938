"""The properties of a release's image, as one model. Not trusted: anybody may write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Json,
    ValidationError,
)
from pydantic_core import ErrorDetails

from lab.driver.delivery import Delivery
from lab.yaml.load import WANTED
from lab.yaml.model import Size, Word, value_error

PREFIX: Final = "lab."
_MOST_PROBLEMS: Final = 5
_LONGEST: Final = 64 * 1024
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]", re.ASCII)
_VERSION: Final = re.compile(r"[0-9]{8}\.[1-9][0-9]{0,5}", re.ASCII)
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LATEST: Final = datetime(9000, 1, 1, tzinfo=timezone.utc)


def is_name(text: str) -> bool:
    """Whether a template may be called TEXT."""
    return _NAME.fullmatch(text) is not None


def moment(text: str) -> datetime:
    """The time that TEXT tells, with its zone; ValueError where it tells none."""
    read = datetime.fromisoformat(text)
    if read.tzinfo is None or not timedelta() <= read - _EARLIEST <= _LATEST - _EARLIEST:
        raise ValueError("no time zone, or the year is out of range")
    return read


def _name(value: str) -> str:
    if not is_name(value):
        raise value_error("is not the name of a template")
    return value


def _version(value: str) -> str:
    if not _VERSION.fullmatch(value):
        raise value_error("is not a version such as 20261121.1")
    return value


def _printable(value: str) -> str:
    if not value.isprintable():
        raise value_error("is not printable")
    return value


def _moment(value: object) -> object:
    try:
        return moment(value) if isinstance(value, str) else value
    except ValueError:
        raise value_error(
            "is not a time with a time zone such as 2026-11-21T09:00:00+00:00"
        ) from None


def _sized(value: object) -> object:
    if isinstance(value, str) and len(value) > _LONGEST:
        raise value_error(f"is longer than {_LONGEST} characters")
    return value


Name = Annotated[str, AfterValidator(_name)]
Text = Annotated[str, Field(max_length=4096), AfterValidator(_printable)]
"""For the eyes, and for comparing."""
Key = Annotated[str, Field(max_length=200), AfterValidator(_printable)]
Outcome = Literal["passed", "failed", "skipped", "pending"]


class _Properties(BaseModel):
    # What a later labstamp adds says nothing to this one.
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class SaidNeeds(_Properties):
    """`lab.needs`. Whether it is granted is for `lab.allowed` to say."""

    # Values that LXD gets: of any characters, judged by the list.
    config: dict[Key, str] = Field(default_factory=dict)
    devices: dict[Key, dict[Key, str]] = Field(default_factory=dict)
    groups: Annotated[tuple[Word, ...], Field(max_length=64)] = ()
    disk: Size | None = None
    ports: dict[Word, Annotated[int, Field(ge=1, le=65535)]] = Field(default_factory=dict)
    delivery: Delivery | None = None


class Said(_Properties):
    """The properties that begin with `lab.`, without that. LXD drops those that are empty."""

    template: Name
    short: Name
    version: Annotated[str, AfterValidator(_version)]
    recipe: Text
    inputs: Annotated[Json[dict[Text, Text]], BeforeValidator(_sized)]
    parent: Name | None = None
    distro: Text
    driver: Text | None = None
    built_at: Annotated[datetime, BeforeValidator(_moment)]
    commit: Text
    pipeline: Text
    smoke: Outcome
    # Releases from before driver layers do not have it.
    gpu: Outcome = "skipped"
    needs: Annotated[Json[SaidNeeds], BeforeValidator(_sized)]


def read(properties: Mapping[str, str]) -> Said | tuple[str, ...]:
    """A release's PROPERTIES, or what in them cannot be read: `lab.built_at: is not a time …`."""
    own: dict[str, Any] = {
        key.removeprefix(PREFIX): value
        for key, value in properties.items()
        if key.startswith(PREFIX) and value
    }
    try:
        return Said.model_validate(own)
    except ValidationError as error:
        return _told(error)


def _told(error: ValidationError) -> tuple[str, ...]:
    every = error.errors(include_url=False, include_input=False)
    lines = [
        f"{PREFIX}{_plain('.'.join(map(str, one['loc'])))}: {_plain(_words(one))}"
        for one in every[:_MOST_PROBLEMS]
    ]
    more = len(every) - len(lines)
    return (*lines, *([f"and {more} more"] if more > 0 else []))


def _words(problem: ErrorDetails) -> str:
    """As problems in files are told, and not as Python calls things."""
    if wanted := WANTED.get(problem["type"]):
        return f"must be {wanted}"
    if problem["type"] in {"literal_error", "enum"}:
        return f"must be {problem['ctx']['expected']}"
    return "is missing" if problem["type"] == "missing" else problem["msg"]


def _plain(text: str) -> str:
    """The keys in it are as foreign as the values."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:200]
