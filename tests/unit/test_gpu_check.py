"""The check `gpu`: what its instance is given, and what becomes of nvidia-smi's answer."""

from __future__ import annotations

import pytest

from images.check_kinds.evidence import Case, Evidence, GpuAccess
from images.check_kinds.kinds import Boots, Gpu
from images.checks.judge import judge
from images.checks.verdict import Verdict, gpu_outcome
from lab.driver.delivery import Delivery
from lab.lxd.model import Completed
from lab.release import Smoke
from tests.support.builders.four_gpus import FOUR, PCI, uuid

SMI = Gpu(name="nvidia-smi")
BOOTS = Boots(name="boots")
HOST = "535.261.03"


def gpu_access(delivery: Delivery = Delivery.IMAGE) -> GpuAccess:
    return GpuAccess(gpus=FOUR, delivery=delivery, version=HOST)


def verdict(said: Completed | None, gpus: GpuAccess) -> Verdict:
    shown = Evidence(answers={"nvidia-smi": said} if said else {})
    (one,) = judge((SMI,), Case(first=shown, gpus=gpus))
    return one


def answer(*pcis: str, version: str = HOST) -> Completed:
    lines = "".join(f"0000{pci.upper()}, {version}\n" for pci in pcis)
    return Completed(exit_code=0, stdout=lines, stderr="")


def test_all_gpus_at_the_hosts_version_pass() -> None:
    one = verdict(answer(*PCI), gpu_access())
    assert (one.passed, one.failed, one.skipped, str(one)) == (
        True,
        False,
        False,
        "passed: nvidia-smi",
    )


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (answer(*PCI[:3]), "nvidia-smi lists"),
        (answer(*PCI, version="550.163.01"), "nvidia-smi reports driver 550.163.01"),
        (
            Completed(
                exit_code=18,
                stdout="Failed to initialize NVML: Driver/library version mismatch\n",
                stderr="",
            ),
            "nvidia-smi failed with exit code 18: Failed to initialize NVML: Driver/library "
            "version mismatch",
        ),
        (None, "it was not run"),
    ],
)
def test_anything_else_fails_in_nvidia_smis_own_words(said: Completed | None, why: str) -> None:
    one = verdict(said, gpu_access())
    assert one.failed
    assert one.why.startswith(why)


@pytest.mark.parametrize(
    ("gpus", "why"),
    [
        (GpuAccess(delivery=Delivery.NONE), "the host has no NVIDIA GPU"),
        (GpuAccess(delivery=Delivery.IMAGE), "the host has no NVIDIA GPU"),
        (gpu_access(Delivery.NONE), "the lab chose delivery none"),
    ],
)
def test_what_was_not_asked_is_skipped_and_never_passed(gpus: GpuAccess, why: str) -> None:
    one = verdict(None, gpus)
    assert (one.passed, one.failed, one.skipped) == (False, False, True)
    assert str(one) == f"skipped: nvidia-smi: {why}"
    assert (gpus.devices, gpus.config) == ({}, {})
    assert gpu_outcome((BOOTS, SMI), (one,)) is Smoke.SKIPPED


def test_the_outcome_is_that_of_nvidia_smi_alone() -> None:
    bad = Verdict(name="boots", passed=False, why="no")
    good = verdict(answer(*PCI), gpu_access())
    assert gpu_outcome((BOOTS, SMI), (bad, good)) is Smoke.PASSED
    assert gpu_outcome((BOOTS, SMI), (bad, verdict(None, gpu_access()))) is Smoke.FAILED
    assert gpu_outcome((BOOTS,), (bad,)) is Smoke.SKIPPED


def test_the_instance_gets_what_a_users_container_would() -> None:
    assert [one["pci"] for one in gpu_access().devices.values()] == list(PCI)
    assert gpu_access().config == {}
    runtime = gpu_access(Delivery.RUNTIME)
    assert (runtime.devices, runtime.config["nvidia.runtime"]) == (gpu_access().devices, "true")
    by_name = [one["id"] for one in gpu_access(Delivery.CDI).devices.values()]
    assert by_name == [f"nvidia.com/gpu={uuid(number)}" for number in range(4)]
