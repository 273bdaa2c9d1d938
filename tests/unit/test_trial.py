"""How an image is tried."""

from __future__ import annotations

import pytest

from images.checks.trial import Trial
from images.templates.catalog import Check
from lab.lxd.model import Image
from lab.release import Needs
from tests.fake_store import EPOCH


def test_every_image_is_tried_as_it_is_provisioned() -> None:
    image = Image(fingerprint="f" * 64, created_at=EPOCH)
    own = (Check(name="ssh", kind="ssh"), Check(name="boots", kind="boots"))
    needs = Needs(groups=("docker",))
    trial = Trial(template="base", image=image, needs=needs, checks=own)
    first, *others = trial.every_check
    assert others == [*own]
    assert first.run == (
        *("sh", "/run/labstamp/check-account.sh", "labcheck", "1000"),
        *("sudo", "docker"),
    )
    assert trial.to_run == trial.every_check
    assert trial.over_the_network == "ssh"


@pytest.mark.parametrize(
    ("kinds", "instances"), [((), 1), (("boots", "gpu"), 1), (("boots", "identity"), 2)]
)
def test_a_second_instance_is_there_to_be_compared(kinds: tuple[str, ...], instances: int) -> None:
    checks = tuple(Check.model_validate({"name": kind, "kind": kind}) for kind in kinds)
    image = Image(fingerprint="f" * 64, created_at=EPOCH)
    assert Trial(template="base", image=image, needs=Needs(), checks=checks).size == instances
