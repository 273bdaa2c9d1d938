"""The form of containers.yaml: which keys it has, and which values they take. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf

from lab.dates import read_date
from lab.errors import InputError
from lab.gpu_selection import GpuSelection, parse_selection
from lab.mail import is_mail
from lab.names import check_account, check_instance_name
from lab.settings.shares import ShareName
from lab.sizes import format_size, parse_size
from lab.yaml.model import StrictModel, Word, value_error
from provision.create.capacity import MIN_DISK, MIN_HOME, MIN_MEMORY
from provision.expiring import NEVER
from provision.resize.plan import MIN_PROCESSES

_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,30}", re.ASCII)
_MOST_CPUS: Final = 4096
_MOST_PROCESSES: Final = 4_000_000
_LONGEST_KEY: Final = 16_384
_LONGEST_TEXT: Final = 2_000


def _size_from(least: int) -> Callable[[object], int]:
    def check(value: object) -> int:
        if isinstance(value, int):
            # `memory: 16` is sixteen bytes to LXD, and never meant so.
            raise value_error("must be a size with its unit, such as 16GiB")
        if not isinstance(value, str):
            raise value_error("must be a size such as 16GiB")
        try:
            size = parse_size(value)
        except InputError as error:
            why = error.details or error.fix
            raise value_error("must be a size such as 16GiB", hint=f" ({why})") from None
        if size < least:
            raise value_error(f"must be {format_size(least)} or more")
        return size

    return check


def _number_from(least: int, most: int) -> Callable[[object], int]:
    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise value_error(f"must be a number from {least} to {most}")
        return value

    return check


def _gpus(value: object) -> GpuSelection:
    # A count is a number in YAML, the rest are words.
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    try:
        return parse_selection(text if isinstance(text, str) else "")
    except InputError:
        raise value_error(
            "must be a count, all, none, PCI addresses, UUIDs (GPU-…, MIG-…) or idx:N"
        ) from None


def _until(value: object) -> str:
    if not isinstance(value, str) or (value != NEVER and read_date(value) is None):
        raise value_error("must be a date such as 2027-01-31, or never")
    return value


def _checked(check: Callable[[str], object], what: str) -> Callable[[str], str]:
    def judge(value: str) -> str:
        try:
            check(value)
        except InputError as error:
            raise value_error(f"must be {what}", hint=f": {error.details}") from None
        return value

    return judge


def _mail(value: str) -> str:
    if not is_mail(value):
        raise value_error("must be a mail address such as ann@example.edu")
    return value


def _label(value: str) -> str:
    if not _LABEL.fullmatch(value):
        raise value_error("must have lower-case letters, digits and dashes only")
    return value


def _text(value: str) -> str:
    if not value.strip() or len(value) > _LONGEST_TEXT:
        raise value_error(f"must have 1 to {_LONGEST_TEXT} characters")
    return value


def _key(value: str) -> str:
    if value.strip() in {"", "-"}:
        raise value_error("must be a file, gh:USER, gl:USER, an https address, or the key itself")
    if len(value) > _LONGEST_KEY or not value.isprintable():
        raise value_error("must be one line, and no longer than a key is")
    if value.startswith("http://"):
        raise value_error("must be an https address")
    return value


Name = Annotated[
    str, AfterValidator(_checked(check_instance_name, "a name that a container can have"))
]
Account = Annotated[str, AfterValidator(_checked(check_account, "a name that an account can have"))]
Label = Annotated[str, AfterValidator(_label)]
"""Of a group, of a size."""
Text = Annotated[str, AfterValidator(_text)]
KeySource = Annotated[str, AfterValidator(_key)]
"""As `--key` takes it; a file is relative to this one."""


class Limits(StrictModel):
    """A size; sizes in bytes."""

    cpus: Annotated[int | None, BeforeValidator(_number_from(1, _MOST_CPUS))] = None
    memory: Annotated[int | None, BeforeValidator(_size_from(MIN_MEMORY))] = None
    processes: Annotated[
        int | None, BeforeValidator(_number_from(MIN_PROCESSES, _MOST_PROCESSES))
    ] = None
    disk: Annotated[int | None, BeforeValidator(_size_from(MIN_DISK))] = None
    home: Annotated[int | None, BeforeValidator(_size_from(MIN_HOME))] = None


class Given(Limits):
    """What `defaults`, a group and a container can say."""

    template: Word | None = None
    size: Label | None = None
    gpus: Annotated[InstanceOf[GpuSelection] | None, BeforeValidator(_gpus)] = None
    shares: tuple[ShareName, ...] | None = None
    until: Annotated[str | None, BeforeValidator(_until)] = None


class Person(StrictModel):
    """Somebody who logs in, by the name of the account."""

    keys: tuple[KeySource, ...] | None = None
    """None: nothing is said of them; a new container gets a password."""
    mail: Annotated[str, AfterValidator(_mail)] | None = None
    password: bool = False
    """A new container gets one beside the keys; a desktop needs it."""


class Container(Given):
    group: Label | None = None
    people: Mapping[Account, Person] = Field(default_factory=dict)
    """Nobody: one person, whose account has the container's name."""
    reason: Text | None = None
    """Why it differs from its group."""
    notes: Text | None = None


class LabFile(StrictModel):
    sizes: Mapping[Label, Limits] = Field(default_factory=dict)
    defaults: Given = Field(default_factory=Given)
    groups: Mapping[Label, Given] = Field(default_factory=dict)
    containers: Mapping[Name, Container]


LIMITS: Final = tuple(Limits.model_fields)
OWN: Final = ("template", "size", *LIMITS, "gpus", "shares")
"""Of a container: what its group says for all of its own."""
EMPTY_MAPPINGS: Final = ("sizes", "defaults", "groups", "containers")
