"""Three parts of all tests, which ci/test runs side by side, each with an LXD of its own.

`plain`: on a host without GPUs, with base and docker: the unit tests, and what is marked `plain`.
`builds`: on another one without GPUs, with base: what is marked `plain` and builds templates of
its own, or needs none.
`cards`: on the simulated host with four GPUs, with all templates: everything else. It takes the
longest, so nothing is there that could be elsewhere.
Without TEST_PART all run one after the other, on the LXD that LXD_DIR names.
"""

from __future__ import annotations

import os
from typing import Final

import pytest

PLAIN: Final = "plain"
BUILDS: Final = "builds"
GPUS: Final = "cards"


def part() -> str | None:
    """The part that this process runs; None for all."""
    return os.environ.get("TEST_PART") or None


def part_of(item: pytest.Item) -> str:
    """Of every test: what is in neither would never run."""
    if item.get_closest_marker("live") is None:
        return PLAIN
    if item.get_closest_marker(PLAIN) is None:
        return GPUS
    return BUILDS if _builds(item) or not wants_lab(item) else PLAIN


def wants_lab(item: pytest.Item) -> bool:
    """Whether it uses the templates that are built once for all tests."""
    if item.get_closest_marker("live") is None:
        return False
    return _uses(item, "lab") or item.get_closest_marker("lab") is not None


def _builds(item: pytest.Item) -> bool:
    """Whether it builds from the root that the fixture `source` prepares."""
    return _uses(item, "source")


def _uses(item: pytest.Item, fixture: str) -> bool:
    return fixture in getattr(item, "fixturenames", ())


def keep_part(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests of the other parts to the other processes."""
    here = part()
    if here is None:
        return
    others = [item for item in items if part_of(item) != here]
    items[:] = [item for item in items if part_of(item) == here]
    config.hook.pytest_deselected(items=others)
