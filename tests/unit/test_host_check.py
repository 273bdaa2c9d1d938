"""What `invoke host.check` says as a whole, and of drift and delivery."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands.views.findings import advice, row
from host.check.check import check
from host.check.drift import Version, Versions
from host.finding import Finding, Status, document, verdict
from host.machine import Machine
from lab.settings.settings import Settings
from tests.support.builders.gpu_machine import (
    OURS,
    SETTINGS,
    found,
    give,
    lxd_with_gpus,
    problems,
)
from tests.support.builders.machines import Apt, give_network, machine_in
from tests.support.fake_lxd.lxd import FakeLxd


@pytest.fixture
def lxd() -> FakeLxd:
    return lxd_with_gpus()


def test_host_in_order_has_nothing_to_mend(lxd: FakeLxd, machine: Machine) -> None:
    give(lxd, "ann", {"gpu-a": {"pci": "0000:31:00.0"}}, config=OURS)
    every = found(lxd, machine)
    assert {name: one.found for name, one in every.items()} == {
        "pool-room/default": "39.0 GiB free",
        "kernel-limits": "high enough for many containers",
        "memory-limits": "the kernel holds containers to them alone",
        "network/lxdbr0": "nothing blocks this network; only root can see the firewall's rules",
        "network-filters": "users' containers can send from their own addresses only",
        "ids": "every container has ids of its own",
        "unfinished": "no work on a container was interrupted",
        "gpu": "4 × NVIDIA GeForce RTX 4090",
        "driver-module": "535.261.03 is loaded",
        "driver-libraries": "the host has none; containers have their own",
        "gpu-nodes": "/dev/nvidia-uvm, /dev/nvidiactl and the node of each GPU exist",
        "gpu-boot-unit": "installed and enabled, before LXD",
        "driver-packages": "no package of the driver is installed by apt",
        "driver-hook": "not installed: after a driver update run invoke host.after-driver-update",
        "delivery": "image: LXD has neither gpu_cdi nor nvidia_runtime",
        "cards-there": "every GPU that was given is in its slot",
        "cards-by-address": "every GPU was given by its address",
        "container-nodes": "every running container with GPUs has /dev/nvidia-uvm",
        "release-driver": "every release fits 535.261.03",
        "container-driver": "every container fits 535.261.03",
    }
    assert {one.status for one in every.values()} == {Status.OK}
    assert {one.fix for one in every.values()} == {None}


def test_host_without_gpus_says_so_and_no_more(tmp_path: Path) -> None:
    give_network(tmp_path)
    every = check(FakeLxd(), SETTINGS, Versions(), machine_in(tmp_path))
    names = [one.name for one in every]
    assert names == [
        *("pool-room", "kernel-limits", "memory-limits"),
        *("network", "network-filters", "gpu"),
    ]
    assert every[-1].found == "no GPU"
    assert {one.status for one in every} == {Status.OK}


def test_nothing_is_changed(lxd: FakeLxd, machine: Machine, apt: Apt) -> None:
    found(lxd, machine)
    assert lxd.changes == []
    assert not [ran for ran in apt.ran if ran.startswith(("systemctl", "apt-mark hold"))]


def test_of_an_lxd_elsewhere_the_host_is_left_out(lxd: FakeLxd, machine: Machine) -> None:
    settings = Settings(remote="https://lab1.example:8443")
    every = check(lxd, settings, Versions(host="535.261.03"), machine)
    names = [one.name for one in every]
    assert names[:3] == ["network-filters", "gpu", "host"]
    assert "gpu-nodes" not in names
    assert "https://lab1.example:8443" in every[2].found
    assert every[2].status is Status.OK


def test_drift_is_told_with_the_commands(lxd: FakeLxd, machine: Machine) -> None:
    versions = Versions(
        host="550.163.01",
        releases=(Version(name="base", driver="535.261.03"), Version(name="xfce", driver=None)),
        containers=(Version(name="ann", driver="535.261.03"),),
        restarts=(Version(name="ben", driver="535.261.03"),),
    )
    assert [
        (one.name, one.status, one.found, one.fix) for one in problems(lxd, machine, versions)
    ] == [
        (
            "release-driver",
            Status.WARN,
            "not driver 550.163.01: base (535.261.03), xfce (none)",
            "invoke build-images --only base,xfce",
        ),
        (
            "container-driver",
            Status.FAIL,
            "not driver 550.163.01: ann (535.261.03)",
            "invoke sync-drivers",
        ),
        (
            "container-driver",
            Status.FAIL,
            "not driver 550.163.01: ben (535.261.03)",
            "invoke sync-drivers --restart",
        ),
    ]


def test_delivery_beyond_this_lxd_is_a_finding(lxd: FakeLxd, machine: Machine) -> None:
    settings = Settings.model_validate({"driver": {"delivery": "cdi"}})
    (problem,) = [
        one for one in check(lxd, settings, Versions(), machine) if one.status is not Status.OK
    ]
    assert (problem.name, problem.status) == ("delivery", Status.FAIL)
    assert "cannot deliver the driver by cdi" in problem.found


FINDINGS = (
    Finding(name="gpu", found="4 × X"),
    Finding(name="gpu-boot-unit", found="not installed", status=Status.WARN, why="It …", fix="a"),
    Finding(name="n", subject="ann", found="bad", status=Status.FAIL, why="Because.", fix="b c"),
)


def test_document_row_and_advice() -> None:
    assert document(FINDINGS[2:]) == {
        "checks": [
            {
                "name": "n",
                "subject": "ann",
                "status": "fail",
                "found": "bad",
                "why": "Because.",
                "fix": "b c",
            }
        ]
    }
    assert row(FINDINGS[0]) == ("gpu", "-", "ok", "4 × X")
    assert advice(FINDINGS) == (
        "gpu-boot-unit: not installed\n  effect: It …\n  fix: a\n\n"
        "n (ann): bad\n  effect: Because.\n  fix: b c"
    )
    assert advice(FINDINGS[:1]) == ""


def test_only_a_failure_makes_the_command_fail() -> None:
    assert verdict(FINDINGS[:2]) is None
    unfit = verdict(FINDINGS)
    assert unfit is not None
    assert unfit.exit_code == 3
    assert unfit.brief == "1 of 3 checks failed: n."
