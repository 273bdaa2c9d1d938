"""Steps that run side by side, each as soon as what it needs is done. Knows nothing of images."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from graphlib import TopologicalSorter

from lab.errors import LabError


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    name: str
    do: Callable[[], None]
    after: frozenset[str] = frozenset()
    """Names of steps that must have succeeded; those not among the steps count as done."""
    cost: int = 0
    """Of two that may begin, the dearer does: else the longest one begins last, all alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """ERRORS by step that failed, and the names of those never begun because of them."""

    errors: dict[str, LabError]
    skipped: tuple[str, ...]


def side_by_side(steps: Sequence[Step], *, jobs: int, stop: threading.Event) -> Outcome:
    """Run STEPS on up to JOBS threads. A failure ends only what needs it.

    Ctrl-C, and any error that is not a LabError, sets STOP, waits until the running steps have
    undone what they made, and goes on upwards.
    """
    by_name = {step.name: step for step in steps}
    sorter = TopologicalSorter({step.name: step.after & by_name.keys() for step in steps})
    sorter.prepare()
    ready: list[str] = []
    running: dict[Future[None], str] = {}
    errors: dict[str, LabError] = {}
    skipped: list[str] = []
    prefix = f"steps-{secrets.token_hex(4)}"
    with ThreadPoolExecutor(max_workers=jobs, thread_name_prefix=prefix) as pool:
        try:
            while sorter.is_active():
                for name in sorter.get_ready():
                    if by_name[name].after & {*errors, *skipped}:
                        skipped.append(name)
                        sorter.done(name)
                    else:
                        ready.append(name)
                ready.sort(key=lambda name: -by_name[name].cost)
                while ready and len(running) < jobs:
                    name = ready.pop(0)
                    running[pool.submit(by_name[name].do)] = name
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    name = running.pop(future)
                    _note(future, name, errors)
                    sorter.done(name)
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            _wait_for_threads(prefix)
            raise
    return Outcome(errors=errors, skipped=tuple(skipped))


def _wait_for_threads(prefix: str) -> None:
    """A pool that is interrupted while it starts a thread does not know of it, or wait for it."""
    while any(thread.name.startswith(prefix) for thread in threading.enumerate()):
        time.sleep(0.02)


def _note(future: Future[None], name: str, errors: dict[str, LabError]) -> None:
    try:
        future.result()
    except LabError as error:
        errors[name] = error
