"""Provisioning and destroying, killed before any of their changes: a home keeps its file."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.support.live_lab.gpu_containers import destroy
from tests.support.live_lab.killed import killed
from tests.support.live_lab.lab import Lab, lxc

pytestmark = pytest.mark.plain

NAME = "lt-every"
THESIS = "/home/thesis"


@pytest.fixture
def home(lab: Lab, key: Path) -> Iterator[tuple[str, ...]]:
    """The command that provisions; a home with a file is kept for it."""
    command = (
        *("provision", NAME, "--template", "base", "--gpus", "none"),
        *("--key", str(key.with_suffix(".pub"))),
    )
    destroy(lab, [NAME])
    lab.succeed(*command)
    lxc("exec", NAME, "--", "sh", "-c", f"echo years >{THESIS}")
    yield command
    destroy(lab, [NAME])


def test_the_file_is_there_at_the_end_always(lab: Lab, home: tuple[str, ...]) -> None:
    deaths = {"provision": 0, "destroy": 0}
    for changes in count():
        destroying = killed(lab, changes, "destroy", NAME, "--yes")
        if destroying:
            lab.succeed("destroy", NAME, "--yes")
        making = killed(lab, changes, *home)
        if making:
            lab.succeed(*home)
        assert lxc("exec", NAME, "--", "cat", THESIS) == "years\n"
        deaths["destroy"] += destroying
        deaths["provision"] += making
        if not (destroying or making):
            break
    # Fewer would mean that the changes are not seen.
    assert deaths["destroy"] >= 2
    assert deaths["provision"] >= 5
