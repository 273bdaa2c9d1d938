"""Changing an object that others may be changing, too: read, alter, write if still the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from lab.errors import Conflict, LxdError

T = TypeVar("T")
_ATTEMPTS = 10
_BUSY_ATTEMPTS = 120
_BUSY = "nstance is busy running a"


def with_fresh_etag(change: Callable[[], T], *, sleep: Callable[[float], None] = time.sleep) -> T:
    """Run CHANGE, which reads and writes; again when somebody else wrote in between."""
    attempt = 1
    while True:
        try:
            return change()
        except Conflict:
            if attempt == _ATTEMPTS:
                raise
        # Growing, so that two who met once do not keep step.
        sleep(0.01 * attempt)
        attempt += 1


def when_free(change: Callable[[], T], *, sleep: Callable[[float], None] = time.sleep) -> T:
    """Run CHANGE as soon as LXD lets us: after a failed start it still tidies up for a while."""
    attempt = 1
    while True:
        try:
            return change()
        except LxdError as error:
            if _BUSY not in (error.details or "") or attempt == _BUSY_ATTEMPTS:
                raise
        sleep(0.25)
        attempt += 1


def changed(before: Mapping[str, T], changes: Mapping[str, T | None] | None) -> dict[str, T]:
    """BEFORE with CHANGES made; None removes."""
    merged: dict[str, T | None] = {**before, **(changes or {})}
    return {key: value for key, value in merged.items() if value is not None}
