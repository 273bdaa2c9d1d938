"""Sizes as LXD's keys hold them, and back."""

from __future__ import annotations

from lab.errors import InputError
from lab.sizes import as_limit, parse_size

__all__ = ["as_limit", "bytes_of", "cpus_of"]


def bytes_of(limit: str | None) -> int | None:
    """The bytes in an LXD key's value; None where it has none, or holds no plain size (`50%`)."""
    if not limit:
        return None
    if limit.isdecimal():
        return int(limit)
    try:
        return parse_size(limit)
    except InputError:
        return None


def cpus_of(limit: str | None) -> int | None:
    """How many CPUs `limits.cpu` gives: a count (`4`) or a set (`0-3,7`)."""
    if not limit:
        return None
    if limit.isdecimal():
        return int(limit)
    count = 0
    for part in limit.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            return None
        count += int(last) - int(first) + 1 if dash else 1
    return count
