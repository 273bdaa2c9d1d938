"""A lab in memory on a host with four GPUs, and asking for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from lab.gpu_selection import parse_selection
from lab.lxd.model import InstanceSpec
from lab.settings.gpus import GpuSettings
from lab.settings.settings import Settings
from provision.create.provision import Provisioned
from tests.support.builders.four_gpus import FOUR, PCI
from tests.support.builders.stamping import BASE, DOCKER, a_lab, bob, publish, stamp
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeInstance

VERSION = "535.261.03"
A, B, C, D = PCI
HERE = ("default", "bob")
EXCLUSIVE = Settings(gpus=GpuSettings(policy="exclusive"))


def a_gpu_lab(driver: str | None = VERSION) -> FakeLxd:
    """Its releases have the userland DRIVER."""
    lxd = a_lab()
    lxd.host_gpus = FOUR
    for release in (BASE, DOCKER):
        publish(lxd, replace(release, driver=driver))
    return lxd


def give(
    lxd: FakeLxd,
    wish: str | None,
    name: str = "bob",
    *,
    settings: Settings | None = None,
    **more: object,
) -> Provisioned:
    """Provision NAME, with `--gpus WISH`, or without where it is None."""
    asked = None if wish is None else parse_selection(wish)
    return stamp(lxd, bob(name=name, gpus=asked, **more), settings=settings or Settings())


def change(lxd: FakeLxd, wish: str, *, settings: Settings | None = None) -> Provisioned:
    """`--gpus WISH` and nothing else."""
    return give(lxd, wish, settings=settings, keys=(), only_gpus=True)


def gpus_of(lxd: FakeLxd, name: str = "bob") -> dict[str, dict[str, str]]:
    devices = lxd.store.instances["default", name].devices
    return {key: dict(one) for key, one in devices.items() if one["type"] not in {"disk", "nic"}}


def held(lxd: FakeLxd, name: str = "bob") -> list[str]:
    return sorted(device.get("pci", "?") for device in gpus_of(lxd, name).values())


def another_machine(
    lxd: FakeLxd, monkeypatch: pytest.MonkeyPatch, verb: str, *, earlier: bool
) -> None:
    """Somebody who took no lock of ours gets GPU A while we are at VERB."""
    real = getattr(lxd, verb)

    def interrupted(*given: object, **more: object) -> object:
        result = real(*given, **more)
        name = given[0].name if isinstance(given[0], InstanceSpec) else str(given[0])
        mine = lxd.store.instances["default", name]
        apart = timedelta(seconds=-1 if earlier else 1)
        lxd.store.instances.setdefault(
            ("default", "rival"),
            FakeInstance(
                devices={"gpu": {"type": "gpu", "pci": A}},
                profiles=("default",),
                created_at=mine.created_at + apart,
            ),
        )
        return result

    monkeypatch.setattr(lxd, verb, interrupted)
