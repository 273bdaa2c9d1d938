"""LXD's background operations: waiting for one to end, telling of its progress meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.errors import Stuck
from lab.lxd import parse
from lab.lxd.errors import SEE_OPERATIONS, refused
from lab.lxd.port import OnProgress

# One blocking question for the whole of a ten-minute publish would look like a dead daemon.
_SLICE = 10
_SLICE_WITH_PROGRESS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A piece of background work that LXD has begun."""

    id: str
    what: str
    """A verb phrase for errors: `publish bob`."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of one that another server connects to: the name of each connection → what lets it in."""


def finish(
    operation: Operation,
    wait_once: Callable[[int], Mapping[str, Any]],
    on_progress: OnProgress | None = None,
    *,
    timeout: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Any:
    """Wait until OPERATION has ended well; its metadata.

    GLANCE tells how it stands when it ends, or so many seconds from now.
    """
    deadline = None if timeout is None else clock() + timeout
    seconds = _SLICE if on_progress is None else _SLICE_WITH_PROGRESS
    if timeout is not None:
        seconds = max(1, min(seconds, int(timeout)))
    told = None
    while True:
        state = wait_once(seconds)
        if ended(state):
            return _outcome(operation, state)
        now = parse.progress(state.get("metadata"))
        if on_progress is not None and now is not None and now != told:
            on_progress(now)
            told = now
        if deadline is not None and clock() >= deadline:
            raise Stuck(
                f"LXD timed out after {timeout:.0f} s trying to {operation.what}.",
                fix=SEE_OPERATIONS,
            )


def ended(state: Mapping[str, Any]) -> bool:
    """LXD's codes below 200 are those of work in progress."""
    return bool(state["status_code"] >= 200)


def _outcome(operation: Operation, state: Mapping[str, Any]) -> Any:
    if state["status_code"] == 200:
        return state.get("metadata") or {}
    text = state.get("err") or f"The operation ended as: {state.get('status')}"
    raise refused(operation.what, text)
