"""How an image is tried."""

from __future__ import annotations

import pytest

from images.definition import Check
from images.trial import Trial
from lab.lxd.model import Image
from lab.release import Needs
from tests.fake_store import EPOCH


@pytest.mark.parametrize(
    ("kinds", "instances"), [((), 1), (("boots", "gpu"), 1), (("boots", "identity"), 2)]
)
def test_a_second_instance_is_there_to_be_compared(kinds: tuple[str, ...], instances: int) -> None:
    checks = tuple(Check.model_validate({"name": kind, "kind": kind}) for kind in kinds)
    image = Image(fingerprint="f" * 64, created_at=EPOCH)
    assert Trial(template="base", image=image, needs=Needs(), checks=checks).size == instances
