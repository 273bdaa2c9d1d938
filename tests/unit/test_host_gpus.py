"""`invoke host.gpus`."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from invoke.context import Context

from commands import host as commands
from commands.views.gpus import rows
from host import gpus
from lab.settings.settings import Settings
from tests.support.builders.four_gpus import FOUR, PARTS, PCI, SPLIT, gpu, uuid
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeInstance


def having(*devices: dict[str, str]) -> FakeInstance:
    return FakeInstance(devices={f"d{number}": device for number, device in enumerate(devices)})


@pytest.fixture
def lxd() -> FakeLxd:
    """bob and an instance that labstamp did not make have GPUs; so has one of another project."""
    lxd = FakeLxd()
    lxd.host_gpus = FOUR
    lxd.create_project("other", {})
    lxd.store.instances = {
        ("default", "bob"): having({"type": "gpu", "pci": PCI[2]}),
        ("default", "old"): having({"type": "gpu", "pci": PCI[2]}, {"type": "gpu", "pci": PCI[0]}),
        ("other", "eve"): having({"type": "gpu", "pci": PCI[3]}),
    }
    return lxd


def test_each_gpu_is_told_with_all_who_have_it(lxd: FakeLxd) -> None:
    found = gpus.gpus(lxd, Settings())
    assert found[2] == {
        "index": 2,
        "pci": "0000:b1:00.0",
        "uuid": uuid(2),
        "model": "NVIDIA GeForce RTX 4090",
        "driver": "535.261.03",
        "users": ["bob", "old"],
        "parts": [],
    }
    assert [one["users"] for one in found] == [["old"], [], ["bob", "old"], ["other/eve"]]
    assert lxd.changes == ["create_project other"]


def test_rows_for_people(lxd: FakeLxd) -> None:
    lxd.host_gpus = (gpu(0), gpu(1, driver=None, uuid=None))
    assert rows(gpus.gpus(lxd, Settings())) == [
        ("0", PCI[0], "NVIDIA GeForce RTX 4090", "535.261.03", "old"),
        ("1", PCI[1], "NVIDIA GeForce RTX 4090", "not loaded", "nobody"),
    ]


def test_parts_follow_their_gpu(lxd: FakeLxd) -> None:
    lxd.host_gpus = SPLIT
    mig = {"type": "gpu", "gputype": "mig", "pci": PCI[1], "mig.uuid": PARTS[1]}
    lxd.store.instances["default", "ann"] = having(mig)
    table = rows(gpus.gpus(lxd, Settings()))
    assert [(row[2], row[4]) for row in table[1:5]] == [
        ("NVIDIA GeForce RTX 4090", "ann"),
        (PARTS[0], "nobody"),
        (PARTS[1], "ann"),
        (PARTS[2], "nobody"),
    ]


@pytest.fixture
def run(lxd: FakeLxd, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.setattr(commands, "connect_to", lambda _settings: lxd)
    monkeypatch.setattr(commands, "read_settings", Settings)
    return lambda **options: commands.gpus(Context(), **options)


def test_the_command(
    lxd: FakeLxd, run: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    shown = capsys.readouterr().out
    assert "0000:b1:00.0" in shown
    assert "bob, old" in shown
    run(json=True)
    assert json.loads(capsys.readouterr().out) == {"cards": gpus.gpus(lxd, Settings())}


def test_a_host_without_gpus(
    lxd: FakeLxd, run: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    lxd.host_gpus = ()
    run()
    assert capsys.readouterr().out == (
        "No GPU: this host has no NVIDIA GPU. Everything but --gpus works without.\n"
    )
    run(json=True)
    assert json.loads(capsys.readouterr().out) == {"cards": []}
