"""One lab of five for all that is tried."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.hostile.five import Five, lab_of_five
from tests.support.live_lab.lab import Lab


@pytest.fixture(scope="package")
def five(lab: Lab, key: Path) -> Iterator[Five]:
    with lab_of_five(lab, key) as five:
        yield five
