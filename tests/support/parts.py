"""Two parts of all tests, which ci/test runs side by side, each with an LXD of its own.

`plain`: on a host without GPUs, with base and docker: unit tests, and what is marked `plain`.
`cards`: on the simulated host with four GPUs, with all templates: everything else.
Without TEST_PART both run one after the other, on the LXD that LXD_DIR names.
"""

from __future__ import annotations

import os
from typing import Final

import pytest

PLAIN: Final = "plain"
GPUS: Final = "cards"


def part() -> str | None:
    """The part that this process runs; None for all."""
    return os.environ.get("TEST_PART") or None


def part_of(item: pytest.Item) -> str:
    """Of every test: what is in neither would never run."""
    alone = "/unit/" in str(item.path)
    return PLAIN if alone or item.get_closest_marker(PLAIN) else GPUS


def keep_part(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests of the other part to the other process."""
    here = part()
    if here is None:
        return
    others = [item for item in items if part_of(item) != here]
    items[:] = [item for item in items if part_of(item) == here]
    config.hook.pytest_deselected(items=others)
