"""Waiting for facts, never for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from lab.errors import LabError, LxdError

T = TypeVar("T")


class TimedOut(LxdError):
    """What was waited for did not come in time."""


def retry(
    call: Callable[[], T],
    *,
    when: Callable[[LxdError], bool],
    times: int,
) -> T:
    """What CALL returns; called again, up to TIMES times, where WHEN holds of its error."""
    for attempt in range(1, times):
        try:
            return call()
        except LxdError as error:
            if not when(error):
                raise
        time.sleep(0.2 * attempt)
    return call()


def poll(
    probe: Callable[[], T | None],
    *,
    what: str,
    timeout: float,
    every: float = 0.25,
    on_timeout: Callable[[], LabError] | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Return PROBE's first answer that is not None; it raises when the answer never will come.

    TIMEOUT and EVERY are seconds. After TIMEOUT raises what ON_TIMEOUT makes, else TimedOut.
    """
    deadline = clock() + timeout
    while True:
        answer = probe()
        if answer is not None:
            return answer
        if clock() >= deadline:
            if on_timeout is not None:
                raise on_timeout()
            raise TimedOut(f"Timed out after {timeout:.0f} s waiting for {what}.")
        sleep(every)
