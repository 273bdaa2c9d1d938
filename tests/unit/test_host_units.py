"""Units that labstamp puts on a machine; once, and away again."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from host.machine import Machine
from host.units import driver_hook, gpu_boot
from lab.errors import InputError
from tests.support.builders.machines import Apt, checkout_in, files_of, machine_in, write

BOOT = "/etc/systemd/system/labstamp-gpu-boot.service"
BOOT_LINK = "/etc/systemd/system/multi-user.target.wants/labstamp-gpu-boot.service"
HOOK = "/etc/systemd/system/labstamp-driver-update.service"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return checkout_in(tmp_path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def test_boot_unit_is_installed_once_and_removed_whole(root: Path) -> None:
    apt = Apt()
    machine = machine_in(root, apt)
    assert not gpu_boot.is_installed(machine)
    assert gpu_boot.install(machine) == (
        "/usr/local/lib/labstamp/gpu-boot.sh: written",
        f"{BOOT}: written",
        f"{BOOT_LINK}: written",
    )
    assert apt.ran == ["systemctl daemon-reload", "systemctl restart labstamp-gpu-boot.service"]
    assert gpu_boot.is_installed(machine)
    assert (root / "usr/local/lib/labstamp/gpu-boot.sh").stat().st_mode & 0o777 == 0o755
    assert gpu_boot.install(machine) == ()
    assert len(gpu_boot.remove(machine)) == 3
    assert files_of(root) == []
    assert not (root / "usr/local/lib/labstamp").exists()
    assert (root / "usr/local/lib").exists()
    assert gpu_boot.remove(machine) == ()


def test_boot_unit_comes_before_every_daemon_and_no_socket(root: Path) -> None:
    gpu_boot.install(machine_in(root))
    (before,) = [line for line in (root / BOOT[1:]).read_text().splitlines() if "Before=" in line]
    services = before.removeprefix("Before=").split()
    assert {"snap.lxd.daemon.service", "lxd.service", "incus.service"} <= set(services)
    assert not [name for name in services if name.endswith("socket")]


def test_boot_unit_of_another_version_is_brought_up_to_date(root: Path) -> None:
    machine = machine_in(root)
    gpu_boot.install(machine)
    write(root, BOOT, "# Made by labstamp 0.0\n[Unit]\n")
    assert not gpu_boot.is_installed(machine)
    assert gpu_boot.is_touched(machine)
    assert gpu_boot.install(machine) == (f"{BOOT}: written",)


def test_disabled_boot_unit_is_not_installed(root: Path) -> None:
    machine = machine_in(root)
    gpu_boot.install(machine)
    (root / BOOT_LINK[1:]).unlink()
    assert not gpu_boot.is_installed(machine)


def test_somebody_elses_unit_of_that_name_is_left_alone(root: Path) -> None:
    machine = machine_in(root)
    write(root, BOOT, "[Unit]\nDescription=mine\n")
    with pytest.raises(InputError, match="labstamp did not make it"):
        gpu_boot.install(machine)
    assert files_of(root) == [BOOT]
    assert gpu_boot.remove(machine) == ()
    assert files_of(root) == [BOOT]


def test_without_systemd_the_unit_is_written_and_nothing_started(root: Path) -> None:
    apt = Apt()
    machine = machine_in(root, apt, systemd=False)
    assert len(gpu_boot.install(machine)) == 3
    assert len(gpu_boot.remove(machine)) == 3
    assert apt.ran == []


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
def test_systemd_understands_the_units(root: Path, checkout: Path) -> None:
    machine = machine_in(root)
    driver_hook.install(machine, checkout, {"LXD_DIR": "/srv/my lxd"})
    gpu_boot.install(machine)
    # The script's place is another one than on a machine.
    for unit in (BOOT, HOOK):
        text = (root / unit[1:]).read_text()
        (root / unit[1:]).write_text(text.replace("=/usr/local", f"={root}/usr/local"))
    judged = subprocess.run(
        ["systemd-analyze", "verify", str(root / BOOT[1:]), str(root / HOOK[1:])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (judged.stdout, judged.stderr) == ("", "")


def test_root_is_asked_for() -> None:
    with pytest.raises(InputError) as refused:
        Machine(superuser=False).require_root("sudo .venv/bin/invoke host.remove-gpu-unit")
    assert str(refused.value) == (
        "This command changes files of the machine and needs root.\n"
        "Next: sudo .venv/bin/invoke host.remove-gpu-unit"
    )
