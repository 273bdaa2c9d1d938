"""Builds that are cut off at any moment: users keep what they had, the next run tidies up."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from tests.support.live_lab.lab import Said, instances, query
from tests.support.live_lab.tiny import (
    PREFIX,
    PROJECT,
    Tiny,
    at,
    litter,
    plainly,
    while_busy_with,
)

pytestmark = pytest.mark.plain

Reached = Callable[[str], bool]
CUT_OFF = "left by an interrupted build."


def _kill(tiny: Tiny, reached: Reached, *arguments: str) -> list[str]:
    """Kill a build as it gets there; what it said it removed of the one before."""
    said = tiny.lab.signal_at(signal.SIGKILL, reached, "build-images", *arguments)
    assert said.code == -signal.SIGKILL
    return _removed(said)


def _removed(said: Said) -> list[str]:
    return [line for line in plainly(said.err).splitlines() if line.startswith("Removed ")]


def _made(name: str, phase: str) -> Reached:
    """Within PHASE, an instance whose name begins with NAME is there."""

    def reached(line: str) -> bool:
        if not at(phase)(line):
            return False
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if any(one.startswith(name) for one in instances(PROJECT)):
                return True
        raise AssertionError(f"never saw {name}")

    return reached


def test_killed_in_every_phase_the_next_run_goes_on(tiny: Tiny) -> None:
    # Two instances are judged.
    tiny.define(scripts=["base.sh"], checks=[{"name": "identity", "kind": "identity"}])
    # Without a release yet.
    assert _kill(tiny, _made("source-", "source")) == []
    _kill(tiny, _made("builder-tiny", "clone"))
    assert _kill(tiny, while_busy_with("image", "publish")) == _gone("builder-tiny")
    assert tiny.release() is None
    said = tiny.lab.succeed("build-images")
    assert _removed(said) == [f"Removed image {PREFIX}/tiny/{{version}}, {CUT_OFF}"]
    first = tiny.release()
    assert first is not None
    assert litter() == []
    # With one: it stays whatever happens to the next.
    tiny.boot_with("# changed\n")
    assert _kill(tiny, at("boot")) == []
    assert _kill(tiny, at("cloud-init")) == _gone("builder-tiny")
    assert _kill(tiny, at("base.sh")) == _gone("builder-tiny")
    assert _kill(tiny, at("clean")) == _gone("builder-tiny")
    assert _kill(tiny, _made("check-tiny-2", "check")) == _gone("builder-tiny")
    assert tiny.release() == first
    versions = query("/1.0/images/aliases")
    assert len([path for path in versions if f"/{PREFIX}%2Ftiny%2F" in path]) <= 2
    said = tiny.lab.succeed("build-images")
    assert _removed(said) == [
        *_gone("check-tiny-1"),
        *_gone("check-tiny-2"),
        f"Removed image {PREFIX}/tiny/{{version}}, {CUT_OFF}",
    ]
    assert tiny.release() not in {None, first}
    assert litter() == []
    assert tiny.lab.succeed("build-images").out.splitlines()[-1] == "Nothing to do."


def _gone(name: str) -> list[str]:
    return [f"Removed {name}, {CUT_OFF}"]
