"""Steps side by side: order, limits, failures, and stopping."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from images.build.scheduler import Step, side_by_side
from images.context import Stopped
from lab.errors import CheckError


def _run(steps: list[Step], jobs: int = 4, stop: threading.Event | None = None) -> list[str]:
    outcome = side_by_side(steps, jobs=jobs, stop=stop or threading.Event())
    return [*outcome.errors, *outcome.skipped]


def test_a_step_waits_for_what_it_needs() -> None:
    done: list[str] = []

    def step(name: str, *after: str) -> Step:
        return Step(name=name, do=lambda: done.append(name), after=frozenset(after))

    assert _run([step("c", "b"), step("b", "a"), step("a")]) == []
    assert done == ["a", "b", "c"]


def test_independent_steps_meet() -> None:
    meeting = threading.Barrier(2, timeout=5)
    steps = [Step(name=name, do=lambda: (meeting.wait(), None)[1]) for name in ("a", "b")]
    assert _run(steps) == []


def test_no_more_run_at_once_than_jobs() -> None:
    at_once: list[int] = []
    running = threading.Semaphore(0)

    def do() -> None:
        running.release()
        time.sleep(0.02)
        at_once.append(running._value)
        running.acquire()

    assert _run([Step(name=str(n), do=do) for n in range(4)], jobs=1) == []
    assert set(at_once) == {1}


def _failing(error: Exception) -> Callable[[], None]:
    def do() -> None:
        raise error

    return do


def test_a_failure_ends_what_needs_it_and_nothing_else() -> None:
    done: list[str] = []
    outcome = side_by_side(
        [
            Step(name="base", do=_failing(CheckError("no"))),
            Step(name="docker", do=lambda: done.append("docker"), after=frozenset({"base"})),
            Step(name="deeper", do=lambda: done.append("deeper"), after=frozenset({"docker"})),
            Step(name="other", do=lambda: done.append("other")),
        ],
        jobs=2,
        stop=threading.Event(),
    )
    assert done == ["other"]
    assert {name: str(error) for name, error in outcome.errors.items()} == {"base": "no"}
    assert outcome.skipped == ("docker", "deeper")


def test_a_bug_stops_the_others_and_is_not_hidden() -> None:
    stop, begun = threading.Event(), threading.Event()
    undone: list[str] = []

    def patient() -> None:
        begun.set()
        if stop.wait(5):
            undone.append("patient")
            raise Stopped

    def bug() -> None:
        begun.wait(5)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        side_by_side(
            [Step(name="bug", do=bug), Step(name="patient", do=patient)],
            jobs=2,
            stop=stop,
        )
    assert undone == ["patient"]


def test_what_is_needed_but_not_among_the_steps_counts_as_done() -> None:
    done: list[str] = []
    step = Step(name="a", do=lambda: done.append("a"), after=frozenset({"kept"}))
    assert _run([step]) == []
    assert done == ["a"]


def test_of_those_that_may_begin_the_dearest_does() -> None:
    done: list[str] = []
    steps = [
        Step(name="base", do=lambda: done.append("base"), cost=21),
        *(
            Step(name=name, do=partial(done.append, name), after=frozenset({"base"}), cost=cost)
            for name, cost in (("docker", 2), ("gnome", 25), ("xfce", 36), ("other", 25))
        ),
    ]
    assert not side_by_side(steps, jobs=1, stop=threading.Event()).errors
    assert done == ["base", "xfce", "gnome", "other", "docker"]


def test_ctrl_c_while_a_thread_is_started_waits_for_what_it_does() -> None:
    """The pool does not know of that thread yet."""
    for _ in range(20):
        undone: list[str] = []

        def step(undone: list[str] = undone) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.02)
            undone.append("step")

        with pytest.raises(KeyboardInterrupt):
            side_by_side([Step(name="a", do=step)], jobs=1, stop=threading.Event())
        assert undone == ["step"]
