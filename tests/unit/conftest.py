"""What no unit test may do by accident, and what several begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from host.machine import Machine
from lab import labels
from lab.machine import lock
from tests.support.builders.carried import V, export
from tests.support.builders.driven import GPUS, NEW, OLD, Installer, Smi, driven_lab, every, give
from tests.support.builders.four_gpus import FOUR
from tests.support.builders.gpu_machine import sound_machine
from tests.support.builders.machines import Apt
from tests.support.builders.people import let_people_in
from tests.support.builders.releases import Shelf
from tests.support.builders.shared_lab import Scene
from tests.support.builders.tiny_builds import Checkout, make_checkout, tiny_lab
from tests.support.fake_lxd.lxd import FakeLxd


@pytest.fixture(autouse=True)
def _own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever runs on this machine meanwhile."""
    monkeypatch.setattr(lock, "have_place", lambda _remote: tmp_path)


@pytest.fixture(autouse=True)
def _no_lxd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever LXD this machine has, and whoever's home is in its pools."""
    monkeypatch.setenv("LXD_DIR", str(tmp_path / "no-lxd"))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """bob and ann have a container each, and none of the lab's shares."""
    return Scene(tmp_path)


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
def installer() -> Installer:
    """In place of the installation in containers."""
    return Installer()


@pytest.fixture
def driven(installer: Installer) -> Iterator[FakeLxd]:
    """ann and ben run on the old driver with a GPU each, cat has the new one, dan has none.

    Whatever is done to them, no mark and no snapshot of ours is left.
    """
    lxd = driven_lab(driver=NEW)
    lxd.on_run = Smi(lxd, installer=installer)
    give(lxd, "ann", OLD, gpu=GPUS[0].pci)
    give(lxd, "ben", OLD, gpu=GPUS[1].pci)
    give(lxd, "cat", NEW, gpu=GPUS[2].pci)
    give(lxd, "dan", None)
    yield lxd
    assert not any(name.startswith("sync-") for one in every(lxd) for name in one.snapshots)
    assert not any(labels.SYNC in one.config for one in every(lxd))


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """The files of a lab with one template."""
    # Also on a machine where none is installed.
    monkeypatch.setenv("LXD_DIR", str(tmp_path))
    return make_checkout(tmp_path)


@pytest.fixture
def inhabited(checkout: Checkout) -> FakeLxd:
    """That lab on a host with GPUs. Of its four releases people have the first one."""
    lxd = tiny_lab()
    lxd.host_gpus = FOUR
    checkout.build(lxd)
    let_people_in(lxd, checkout.settings, "tiny")
    for words in ("second", "third", "fourth"):
        checkout.boot_with(words)
        checkout.build(lxd)
    return lxd


@pytest.fixture
def apt() -> Apt:
    """The package manager of `machine`."""
    return Apt()


@pytest.fixture
def machine(tmp_path: Path, apt: Apt) -> Machine:
    """A host with GPUs on which all is well."""
    return sound_machine(tmp_path, apt)
