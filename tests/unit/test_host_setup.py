"""Setting up an LXD in memory."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from host.machine import Machine
from host.setup.actions import CreateNetwork, CreatePool, FillDefaultProfile, InstallGpuUnit
from host.setup.setup import set_up
from host.units import gpu_boot
from lab.errors import LxdError
from lab.lxd.model import Gpu, Profile
from lab.report import Silent
from lab.settings.settings import Settings
from tests.support.builders.machines import machine_in
from tests.support.fake_lxd.lxd import FakeLxd

GIB = 1024**3
SETTINGS = Settings(pool="lab", network="labbr0")


@pytest.fixture
def lxd(monkeypatch: pytest.MonkeyPatch) -> FakeLxd:
    """As a package leaves it: an empty default profile and nothing else."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=50 * GIB))
    lxd = FakeLxd()
    lxd.store.pools.clear()
    lxd.store.networks.clear()
    lxd.store.profiles["default"] = Profile(name="default")
    return lxd


@pytest.fixture
def bare(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return machine_in(tmp_path_factory.mktemp("host"))


def test_bare_lxd_gets_all_it_needs(lxd: FakeLxd, bare: Machine) -> None:
    actions = set_up(lxd, SETTINGS, Silent(), machine=bare)
    assert [type(action) for action in actions] == [CreatePool, CreateNetwork, FillDefaultProfile]
    assert [(pool.name, pool.driver) for pool in lxd.pools()] == [("lab", "btrfs")]
    (network,) = lxd.networks()
    assert network.name == "labbr0"
    assert (network.config["ipv4.nat"], network.config["ipv6.address"]) == ("true", "none")
    assert network.config["ipv4.address"].endswith("/24")
    profile = lxd.profile("default")
    assert profile is not None
    assert profile.devices == {
        "root": {"type": "disk", "path": "/", "pool": "lab"},
        "eth0": {"type": "nic", "name": "eth0", "network": "labbr0"},
    }


def test_second_run_changes_nothing(lxd: FakeLxd, bare: Machine) -> None:
    set_up(lxd, SETTINGS, Silent(), machine=bare)
    before = list(lxd.changes)
    assert set_up(lxd, SETTINGS, Silent(), machine=bare) == ()
    assert lxd.changes == before


def test_plan_changes_nothing(lxd: FakeLxd, bare: Machine) -> None:
    assert len(set_up(lxd, SETTINGS, Silent(), machine=bare, only_plan=True)) == 3
    assert lxd.changes == []


def test_what_failed_halfway_is_finished_by_the_next_run(lxd: FakeLxd, bare: Machine) -> None:
    lxd.failures["create_network labbr0"] = LxdError("no dnsmasq")
    with pytest.raises(LxdError):
        set_up(lxd, SETTINGS, Silent(), machine=bare)
    lxd.failures.clear()
    actions = set_up(lxd, SETTINGS, Silent(), machine=bare)
    assert [type(action) for action in actions] == [CreateNetwork, FillDefaultProfile]


def test_devices_of_others_in_the_profile_stay(lxd: FakeLxd, bare: Machine) -> None:
    shared = {"type": "disk", "path": "/shared", "source": "/srv/shared"}
    lxd.store.profiles["default"] = Profile(name="default", devices={"shared": shared})
    set_up(lxd, SETTINGS, Silent(), machine=bare)
    profile = lxd.profile("default")
    assert profile is not None
    assert set(profile.devices) == {"shared", "root", "eth0"}
    assert profile.devices["shared"] == shared


def test_disk_of_an_lxd_elsewhere_is_its_own_affair(lxd: FakeLxd, bare: Machine) -> None:
    settings = Settings(remote="https://lab.example:8443", pool="lab", network="labbr0")
    assert set_up(lxd, settings, Silent(), machine=bare)[0] == CreatePool(
        name="lab", driver="btrfs", size_bytes=None
    )


# ---- the GPU boot unit -------------------------------------------------------------------------


class Tape(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def with_gpus(lxd: FakeLxd, bare: Machine) -> FakeLxd:
    # With a machine of the test from here on.
    set_up(lxd, SETTINGS, Silent(), machine=bare)
    lxd.store.host_gpus = (Gpu(pci="0000:31:00.0", model="NVIDIA GeForce RTX 4090"),)
    return lxd


def test_gpu_boot_unit_comes_with_gpus(with_gpus: FakeLxd, tmp_path: Path) -> None:
    machine = machine_in(tmp_path)
    assert set_up(with_gpus, SETTINGS, Silent(), machine=machine, only_plan=True) == (
        InstallGpuUnit(),
    )
    assert not gpu_boot.is_touched(machine)
    assert set_up(with_gpus, SETTINGS, Silent(), machine=machine) == (InstallGpuUnit(),)
    assert gpu_boot.is_installed(machine)
    assert set_up(with_gpus, SETTINGS, Silent(), machine=machine) == ()


def test_machine_without_gpus_gets_no_unit(lxd: FakeLxd, tmp_path: Path) -> None:
    machine = machine_in(tmp_path)
    set_up(lxd, SETTINGS, Silent(), machine=machine)
    assert not gpu_boot.is_touched(machine)


def test_what_keeps_the_unit_away_is_said(with_gpus: FakeLxd, tmp_path: Path) -> None:
    tape = Tape()
    person = replace(machine_in(tmp_path), superuser=False)
    assert set_up(with_gpus, SETTINGS, tape, machine=person) == ()
    (tmp_path / "run/systemd/system").rmdir()
    assert set_up(with_gpus, SETTINGS, tape, machine=replace(person, superuser=True)) == ()
    needs_root, no_systemd = tape.said
    assert needs_root.endswith("their boot unit needs root: sudo .venv/bin/invoke host.setup")
    assert "this machine was not booted with systemd" in no_systemd
    assert no_systemd.endswith(f"before LXD starts, run {gpu_boot.SCRIPT}")
