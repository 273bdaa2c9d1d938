"""What `resize` may change, and how the request that a container keeps follows."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields

from lab.errors import InputError
from provision.create.request import RESIZED


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """None leaves it as it is. Sizes in bytes."""

    cpus: int | None = None
    memory: int | None = None
    disk: int | None = None
    """Quota of the root."""
    home: int | None = None
    """Quota of /home."""
    processes: int | None = None

    def __post_init__(self) -> None:
        if all(getattr(self, one.name) is None for one in fields(self)):
            raise InputError(
                "resize needs at least one size.",
                fix="Name what to change: --cpus, --memory, --disk, --home or --processes.",
            )


def following(kept: str, sizes: Sizes) -> str | None:
    """The request KEPT in `user.lab.request` with SIZES in it; None where it cannot be read.

    So a later `provision` with these sizes finds the container as requested.
    """
    try:
        wish = dict(json.loads(kept))
    except (ValueError, TypeError):
        return None
    for word in RESIZED:
        value = getattr(sizes, word)
        if value is not None and word in wish:
            wish[word] = value
    return json.dumps(wish, sort_keys=True, separators=(",", ":"))
