"""Sizes as people write them, in bytes, and back."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from lab.errors import InputError
from lab.names import quote

_BINARY: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_DECIMAL: Final = ("B", "kB", "MB", "GB", "TB", "PB")
_SIZE: Final = re.compile(
    r"([0-9]{1,19}(?:\.[0-9]{1,9})?) ?(?:(|b)|([kmgtp])(|i?b))", re.IGNORECASE | re.ASCII
)
_MOST: Final = 2**63 - 1  # LXD counts in int64


def parse_size(text: str) -> int:
    """Bytes of `16GiB`, `50G`, `0.5tib`, `500MB`; a number without unit is bytes, as in LXD.

    G is GiB, as people mean it who speak of memory and disks; GB is 1000³ bytes, as in LXD. How
    large letters are does not count.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InputError(
            f"{quote(text)} is not a size.",
            fix=f"Write a number and its unit: {_suggestion(text)}.",
        )
    number, _, letter, ending = match.groups()
    power = "bkmgtp".index((letter or "b").lower())
    base = 1000 if letter and (ending or "").lower() == "b" else 1024
    size = int(Decimal(number) * base**power)
    if not 0 < size <= _MOST:
        reason = (
            "A size must be greater than 0."
            if size == 0
            else f"A size must be at most {_MOST // 1024**5} PiB."
        )
        raise InputError(f"{quote(text)} cannot be used as a size.", details=reason)
    return size


def as_limit(size: int) -> str:
    """SIZE bytes as LXD's keys hold them, in the largest unit that holds it exactly: `8GiB`."""
    for power in range(len(_BINARY) - 1, 0, -1):
        if size and size % 1024**power == 0:
            return f"{size // 1024**power}{_BINARY[power]}"
    return f"{size}B"


def reading(text: str) -> str | None:
    """What TEXT was taken for, where LXD would not read it, or its unit is not of 1024s."""
    size = parse_size(text)
    if _is_lxds(text) and not text.endswith(_DECIMAL[1:]):
        return None
    return as_limit(size) if size % 1024**2 == 0 else format_size(size)


def as_written(text: str) -> str:
    """TEXT where LXD itself would read it, else the same size in a form that it reads."""
    return text if _is_lxds(text) else as_limit(parse_size(text))


def format_size(n: int) -> str:
    """`12.3 GiB`; whole bytes without a point."""
    size, units = float(n), list(_BINARY)
    while abs(size) >= 1023.95 and len(units) > 1:
        size /= 1024
        units.pop(0)
    return f"{n} B" if units[0] == "B" else f"{size:.1f} {units[0]}"


def format_share(used: int | None, size: int | None) -> str:
    """`1.2/20 GiB`: both in the unit of SIZE, the bytes USED are of. None: not known, no limit."""
    if size is None:
        return "?" if used is None else format_size(used)
    power = next((n for n in range(len(_BINARY) - 1, 0, -1) if size >= 1024**n), 0)
    return f"{_part(used, 1024**power)}/{_plain(size / 1024**power)} {_BINARY[power]}"


def _part(used: int | None, unit: int) -> str:
    if used is None:
        return "?"
    return "<0.1" if 0 < used < 0.05 * unit else _plain(used / unit)


def _plain(number: float) -> str:
    """With one digit behind the point, where it is none of 0."""
    return f"{number:.1f}".removesuffix(".0")


def _is_lxds(text: str) -> bool:
    number = re.fullmatch(r"([0-9]+) ?([A-Za-z]*)", text, re.ASCII)
    return number is not None and number[2] in ("", *_BINARY, *_DECIMAL)


def _suggestion(text: str) -> str:
    # A comma for a point, two blanks, 全角 digits: answer with the very number.
    found = re.search(r"(\d{1,18})(?:[.,](\d{1,9}))?\s*([kmgtp])", text, re.IGNORECASE)
    if found is None or text.strip().startswith("-"):
        return "500MB, 16GiB, 1TiB"
    point = f".{_ascii(found[2])}" if found[2] else ""
    return f"{_ascii(found[1])}{point}{found[3].upper()}iB"


def _ascii(digits: str) -> str:
    return "".join(str(int(digit)) for digit in digits)
