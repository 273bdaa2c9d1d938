"""What no unit test may do by accident, and what several begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from host.machine import Machine
from lab import labels
from lab.machine import lock
from lab.rdp import Greeting
from tests.fake_lxd import FakeLxd
from tests.unit.carried import V, export
from tests.unit.driven import GPUS, NEW, OLD, Installer, Smi, driven_lab, every, give
from tests.unit.gpu_machine import sound_machine
from tests.unit.machines import Apt, machine_in
from tests.unit.releases import Shelf


@pytest.fixture(autouse=True)
def _no_desktop_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Provisioning would speak RDP to the addresses that a fake made up."""

    def greet(_address: str, _port: int, *, timeout: float) -> Greeting:
        assert timeout > 0
        return Greeting(version="TLSv1.3", certificate="00")

    monkeypatch.setattr("provision.create.ready.greet", greet)


@pytest.fixture(autouse=True)
def _own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever runs on this machine meanwhile."""
    monkeypatch.setattr(lock, "have_place", lambda _remote: tmp_path)


@pytest.fixture(autouse=True)
def _no_lxd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever LXD this machine has, and whoever's home is in its pools."""
    monkeypatch.setenv("LXD_DIR", str(tmp_path / "no-lxd"))


@pytest.fixture(autouse=True)
def _own_machine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose limits may be raised."""
    monkeypatch.setattr(
        "host.setup.setup.Machine", lambda: machine_in(tmp_path_factory.mktemp("host"))
    )


@pytest.fixture(autouse=True)
def _filters_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine's kernel can do on bridges."""
    monkeypatch.setattr("provision.create.facts.bridged_ipv6", lambda: True)


@pytest.fixture
def shelf() -> Shelf:
    """A lab with one release of base."""
    shelf = Shelf()
    shelf.build(V, packages={"curl": "7.88"})
    return shelf


@pytest.fixture
def exported(shelf: Shelf, tmp_path: Path) -> Path:
    """That release as a file."""
    path = tmp_path / "base.labstamp"
    export(shelf, path)
    return path


@pytest.fixture
def installer(monkeypatch: pytest.MonkeyPatch) -> Installer:
    """In place of the installation in containers."""
    installer = Installer()
    monkeypatch.setattr("provision.drivers.update.install", installer)
    monkeypatch.setattr("provision.drivers.sync.prepared", lambda *_: object())
    return installer


@pytest.fixture
def driven(installer: Installer) -> Iterator[FakeLxd]:
    """ann and ben run on the old driver with a GPU each, cat has the new one, dan has none.

    Whatever is done to them, no mark and no snapshot of ours is left.
    """
    lxd = driven_lab(driver=NEW)
    lxd.on_run = Smi(lxd)
    give(lxd, "ann", OLD, gpu=GPUS[0].pci)
    give(lxd, "ben", OLD, gpu=GPUS[1].pci)
    give(lxd, "cat", NEW, gpu=GPUS[2].pci)
    give(lxd, "dan", None)
    yield lxd
    assert not any(name.startswith("sync-") for one in every(lxd) for name in one.snapshots)
    assert not any(labels.SYNC in one.config for one in every(lxd))


@pytest.fixture
def apt() -> Apt:
    """The package manager of `machine`."""
    return Apt()


@pytest.fixture
def machine(tmp_path: Path, apt: Apt) -> Machine:
    """A host with GPUs on which all is well."""
    return sound_machine(tmp_path, apt)
