"""What `invoke host.check` finds about the machine itself."""

from __future__ import annotations

import pytest

from host.finding import Status
from host.machine import Machine
from host.units import driver_hook, gpu_boot
from tests.support.builders.gpu_machine import found, lxd_with_gpus, problems
from tests.support.builders.machines import Apt, write
from tests.support.fake_lxd.lxd import FakeLxd


@pytest.fixture
def lxd() -> FakeLxd:
    return lxd_with_gpus()


def test_module_that_is_not_loaded(lxd: FakeLxd, machine: Machine, apt: Apt) -> None:
    machine.at("/proc/driver/nvidia/version").unlink()
    apt.modinfo = "550.163.01"
    (problem,) = problems(lxd, machine)
    assert (problem.name, problem.status) == ("driver-module", Status.FAIL)
    assert problem.found == "not loaded, though 550.163.01 is installed"
    assert problem.fix == "modprobe nvidia"


def test_kernel_that_came_without_the_module(lxd: FakeLxd, machine: Machine) -> None:
    machine.at("/proc/driver/nvidia/version").unlink()
    (problem,) = problems(lxd, machine)
    assert (
        problem.found
        == "the running kernel has no NVIDIA module; a new kernel was installed without it"
    )
    assert problem.fix is not None
    assert problem.fix.endswith("dkms autoinstall && modprobe nvidia")


@pytest.mark.parametrize(
    ("on_disk", "fix"),
    [
        ("550.163.01", "reboot"),
        ("", "reboot"),
        ("535.261.03", "dkms autoinstall && reboot"),
    ],
)
def test_upgrade_that_waits_for_its_reboot(
    lxd: FakeLxd, machine: Machine, apt: Apt, on_disk: str, fix: str
) -> None:
    libraries = "/usr/lib/x86_64-linux-gnu"
    write(machine.root, f"{libraries}/nvidia/current/libnvidia-ml.so.550.163.01", "new")
    machine.at(f"{libraries}/libnvidia-ml.so.1").symlink_to(
        "nvidia/current/libnvidia-ml.so.550.163.01"
    )
    apt.modinfo = on_disk
    (problem,) = problems(lxd, machine)
    assert problem.name == "driver-libraries"
    assert problem.found == ("the host's libraries are 550.163.01, the loaded module is 535.261.03")
    assert problem.why is not None
    assert "Failed to initialize NVML: Driver/library version mismatch" in problem.why
    assert problem.fix == fix


def test_nodes_lost_by_a_power_cut(lxd: FakeLxd, machine: Machine) -> None:
    machine.at("/dev/nvidia-uvm").unlink()
    machine.at("/dev/nvidia2").unlink()
    (problem,) = problems(lxd, machine)
    assert problem.status is Status.FAIL
    assert problem.found == "missing: /dev/nvidia2, /dev/nvidia-uvm"
    assert problem.fix == str(gpu_boot.SCRIPT)


def test_boot_unit_that_is_not_installed(lxd: FakeLxd, machine: Machine) -> None:
    gpu_boot.remove(machine)
    (problem,) = problems(lxd, machine)
    assert (problem.found, problem.status) == ("not installed", Status.WARN)
    assert problem.fix == "invoke host.install-gpu-unit"


def test_boot_unit_that_was_disabled(lxd: FakeLxd, machine: Machine) -> None:
    machine.at("/etc/systemd/system/multi-user.target.wants/labstamp-gpu-boot.service").unlink()
    (problem,) = problems(lxd, machine)
    assert problem.found == "incomplete, or not enabled"


def test_boot_unit_that_nothing_will_start(lxd: FakeLxd, machine: Machine) -> None:
    machine.at("/run/systemd/system").rmdir()
    (problem,) = problems(lxd, machine)
    assert problem.found == (
        "installed, but this machine was not booted with systemd, so nothing starts it"
    )


def test_a_hook_that_another_account_may_change(lxd: FakeLxd, machine: Machine) -> None:
    checkout = machine.at("/opt/lab")
    (checkout / ".venv/bin").mkdir(parents=True)
    (checkout / ".venv/bin/invoke").write_text("")
    driver_hook.install(machine, checkout, {})
    unit = machine.at("/etc/systemd/system/labstamp-driver-update.service")
    unit.write_text(unit.read_text().replace(str(machine.root), ""))
    assert problems(lxd, machine) == []
    (checkout / ".venv/bin").chmod(0o777)
    (problem,) = problems(lxd, machine)
    assert (problem.name, problem.status) == ("driver-hook", Status.FAIL)
    assert problem.found == (
        f"root runs the hook at boot, and {checkout}/.venv/bin may be written by everybody"
    )
    assert problem.why == "That account could run programs as root at the next boot."


def test_packages_that_an_upgrade_may_replace(lxd: FakeLxd, machine: Machine, apt: Apt) -> None:
    apt.installed = dict.fromkeys(
        ("nvidia-driver-550", "libnvidia-compute-550:amd64", "unattended-upgrades"), "ii "
    )
    (problem,) = problems(lxd, machine)
    assert (problem.name, problem.status) == ("driver-packages", Status.WARN)
    assert problem.found == "unattended upgrades may replace libnvidia-compute-550 and 1 more"
    assert problem.fix == "invoke host.install-driver-hook"
    apt.held = {"nvidia-driver-550"}
    apt.blacklist = ["libnvidia-", "(broken"]
    assert problems(lxd, machine) == []
    assert found(lxd, machine)["driver-packages"].found == "2 held against unattended upgrades"
    apt.held, apt.blacklist = set(), []
    del apt.installed["unattended-upgrades"]
    assert problems(lxd, machine) == []


def test_commands_of_root_are_written_for_whoever_asks(lxd: FakeLxd, machine: Machine) -> None:
    gpu_boot.remove(machine)
    machine.at("/dev/nvidia-uvm").unlink()
    plain = Machine(root=machine.root, run=machine.run, superuser=False)
    assert [one.fix for one in problems(lxd, plain)] == [
        f"sudo {gpu_boot.SCRIPT}",
        "sudo .venv/bin/invoke host.install-gpu-unit",
    ]
