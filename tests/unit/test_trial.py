"""How an image is tried."""

from __future__ import annotations

import pytest

from images.check_kinds.kinds import Boots, Check, Gpu, Identity, Ssh
from images.check_kinds.provision import Provision
from images.checks.trial import Trial
from lab.lxd.model import Image
from lab.release import Needs
from tests.support.fake_lxd.store import EPOCH


def test_every_image_is_tried_as_it_is_provisioned() -> None:
    image = Image(fingerprint="f" * 64, created_at=EPOCH)
    own = (Ssh(name="ssh"), Boots(name="boots"))
    needs = Needs(groups=("docker",))
    trial = Trial(template="base", image=image, needs=needs, checks=own)
    first, *others = trial.every_check
    assert others == [*own]
    assert isinstance(first, Provision)
    assert first.argv == (
        *("sh", "/run/labstamp/check-account.sh", "labcheck", "1000"),
        *("sudo", "docker"),
    )
    assert trial.to_run == trial.every_check
    assert trial.over_the_network == "ssh"


@pytest.mark.parametrize(
    ("checks", "instances"),
    [
        ((), 1),
        ((Boots(name="boots"), Gpu(name="gpu")), 1),
        ((Boots(name="boots"), Identity(name="identity")), 2),
    ],
)
def test_a_second_instance_is_there_to_be_compared(
    checks: tuple[Check, ...], instances: int
) -> None:
    image = Image(fingerprint="f" * 64, created_at=EPOCH)
    assert Trial(template="base", image=image, needs=Needs(), checks=checks).size == instances
