"""`public:` and `contact:` in lab.yaml: what people are told of how to come in, and whom to ask."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import AfterValidator

from lab.printable import printable
from lab.yaml.model import value_error

_LONGEST: Final = 200
_ACCOUNT: Final = r"[a-z_][a-z0-9_-]{0,31}"
_HOST: Final = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
_PUBLIC: Final = re.compile(
    rf"(?:(?P<account>{_ACCOUNT})@)?(?:(?P<host>{_HOST})|\[(?P<ipv6>[0-9A-Fa-f:.]+)\])"
    r"(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII,
)
SSH: Final = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """The machine that people reach by ssh from anywhere, and go through."""

    host: str
    port: int = SSH
    account: str | None = None
    """None: everybody has an account of their own there."""


def front_of(text: str) -> Front:
    """Of a value that `Public` accepted."""
    found = _PUBLIC.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return Front(
        host=found["host"] or found["ipv6"],
        port=int(found["port"] or SSH),
        account=found["account"],
    )


def _public(value: str) -> str:
    found = _PUBLIC.fullmatch(value)
    if found is None or not (_is_ipv6(found["ipv6"]) and 1 <= int(found["port"] or SSH) <= 65535):
        raise value_error(
            "must be a name or an address, such as lab.example.edu or jump@lab.example.edu:2222"
        )
    return value


def _is_ipv6(text: str | None) -> bool:
    """Also where there is none."""
    if text is None:
        return True
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _contact(value: str) -> str:
    if not value.strip() or "\n" in value or len(value) > _LONGEST or printable(value) != value:
        raise value_error(
            f"must be one line of at most {_LONGEST} printable characters, "
            "such as Ann Lee, ann@example.edu, room 4"
        )
    return value.strip()


Public = Annotated[str, AfterValidator(_public)]
"""`[ACCOUNT@]HOST[:PORT]`, as `front_of` reads it."""
Contact = Annotated[str, AfterValidator(_contact)]
