"""Sizes as people write them, in LXD's units."""

from __future__ import annotations

import re
from typing import Final

from lab.errors import InputError
from lab.names import quote

_BINARY: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_UNITS: Final[dict[str, int]] = {unit: 1024**power for power, unit in enumerate(_BINARY)} | {
    unit: 1000**power for power, unit in enumerate(("kB", "MB", "GB", "TB", "PB"), start=1)
}
_SIZE: Final = re.compile(r"([0-9]{1,19}) ?([A-Za-z]*)", re.ASCII)
_MOST: Final = 2**63 - 1  # LXD counts in int64


def parse_size(text: str) -> int:
    """Bytes of `16GiB`, `500MB`, `1TiB`; a number without unit is bytes, as in LXD."""
    match = _SIZE.fullmatch(text)
    if match is None or (match[2] or "B") not in _UNITS:
        raise InputError(
            f"{quote(text)} is not a size.",
            fix=f"Write a whole number and its unit: {_suggestion(text)}.",
        )
    size = int(match[1]) * _UNITS[match[2] or "B"]
    if not 0 < size <= _MOST:
        reason = "It is nothing." if size == 0 else f"The most is {_MOST // 1024**5} PiB."
        raise InputError(f"{quote(text)} is an impossible size.", details=reason)
    return size


def format_size(n: int) -> str:
    """`12.3 GiB`; whole bytes without a point."""
    size, units = float(n), list(_BINARY)
    while abs(size) >= 1023.95 and len(units) > 1:
        size /= 1024
        units.pop(0)
    return f"{n} B" if units[0] == "B" else f"{size:.1f} {units[0]}"


def _suggestion(text: str) -> str:
    # `16G` and `16gb` are what most other tools take: answer with the very number.
    short = re.fullmatch(r"([0-9]{1,18}) ?([kKmMgGtTpP])i?[bB]?", text, re.ASCII)
    return f"{short[1]}{short[2].upper()}iB" if short else "500MB, 16GiB, 1TiB"
