"""The unit that runs after an update of the driver: what it runs, holds, and refuses to run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from host.units import driver_hook, own_command
from lab.errors import InputError
from lab.settings.settings import Settings
from tests.support.builders.installed import environment_in
from tests.support.builders.machines import Apt, checkout_in, files_of, machine_in, write

HOOK = "/etc/systemd/system/labstamp-driver-update.service"
HOOK_LINK = "/etc/systemd/system/multi-user.target.wants/labstamp-driver-update.service"
JUDGE = "/usr/local/lib/labstamp/root-alone.sh"
BLACKLIST = "/etc/apt/apt.conf.d/52labstamp-nvidia"
HELD = "/var/lib/labstamp/held-packages"
DRIVER = {
    "libnvidia-ml1:amd64": "ii ",
    "libcuda1:i386": "ii ",
    "nvidia-driver": "ii ",
    "linux-modules-nvidia-550-generic": "hi ",
    "nvidia-old": "rc ",
    "nvidia-container-toolkit": "ii ",
    "libnvidia-container1:amd64": "ii ",
    "bash": "ii ",
    "unattended-upgrades": "ii ",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return checkout_in(tmp_path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def test_hook_runs_this_checkouts_command_for_this_lab(root: Path, checkout: Path) -> None:
    environ = {"LAB_SETTINGS": "/srv/my lab.yaml", "HOME": "/root"}
    driver_hook.install(machine_in(root), checkout, environ)
    lines = (root / HOOK[1:]).read_text().splitlines()
    escaped = str(checkout).replace("%", "%%")
    assert f"WorkingDirectory={escaped}" in lines
    assert f'ExecStart="{escaped}/.venv/bin/invoke" host.after-driver-update' in lines
    assert 'Environment="LAB_SETTINGS=/srv/my lab.yaml"' in lines
    assert [line for line in lines if line.startswith("Environment=")] == [
        'Environment="LAB_SETTINGS=/srv/my lab.yaml"'
    ]


def test_the_checkout_is_judged_before_anything_in_it_runs(root: Path, checkout: Path) -> None:
    driver_hook.install(machine_in(root), checkout, {"LAB_SETTINGS": "/srv/lab.yaml"})
    lines = (root / HOOK[1:]).read_text().splitlines()
    # As systemd reads them: % and $ stand for themselves.
    place = str(checkout).replace("%", "%%").replace("$", "$$")
    judged = f'"{place}" "{place}/.venv" "{place}/.venv/bin/python" "/srv/lab.yaml"'
    before = lines.index(f"ExecStartPre={JUDGE} {judged}")
    assert lines[before + 1].startswith("ExecStart=")


def judged(*paths: Path) -> tuple[int, str]:
    """By root's script, to which we are root."""
    text = own_command.JUDGE.read_text()
    for kind, own in (("-uid", os.geteuid()), ("-gid", os.getegid())):
        text = text.replace(f"{kind} 0", rf"\( {kind} 0 -o {kind} {own} \)")
    ended = subprocess.run(
        ["sh", "-c", text, "sh", *map(str, paths)], capture_output=True, text=True, check=False
    )
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("loosened", [".", ".venv/bin", ".venv/bin/invoke", ".."])
def test_what_others_may_write_does_not_run_at_boot(checkout: Path, loosened: str) -> None:
    elsewhere = checkout.parent / "link"
    elsewhere.symlink_to(checkout)
    assert judged(checkout, checkout / "none", elsewhere) == (0, "")
    path = checkout / loosened
    path.chmod(path.stat().st_mode | 0o002)
    for way in (checkout, elsewhere):
        code, said = judged(way)
        assert code == 1
        assert f" {path.resolve()}: " in said or f" {way}" in said


def test_hook_holds_the_driver_and_lets_go_of_what_it_held(root: Path, checkout: Path) -> None:
    apt = Apt(installed=dict(DRIVER), held={"linux-modules-nvidia-550-generic", "bash"})
    machine = machine_in(root, apt)
    done = driver_hook.install(machine, checkout, {})
    assert done == (
        f"{JUDGE}: written",
        f"{HOOK}: written",
        f"{HOOK_LINK}: written",
        "held against upgrades: libcuda1:i386, libnvidia-ml1, nvidia-driver",
        f"{BLACKLIST}: unattended upgrades skip the driver",
    )
    assert apt.held == {
        "bash",
        "libcuda1:i386",
        "libnvidia-ml1",
        "linux-modules-nvidia-550-generic",
        "nvidia-driver",
    }
    assert driver_hook.install(machine, checkout, {}) == ()
    assert driver_hook.remove(machine) == (
        f"{JUDGE}: removed",
        f"{HOOK}: removed",
        f"{HOOK_LINK}: removed",
        "no longer held: libcuda1:i386, libnvidia-ml1, nvidia-driver",
        f"{HELD}: removed",
        f"{BLACKLIST}: removed",
    )
    assert apt.held == {"bash", "linux-modules-nvidia-550-generic"}
    assert files_of(root) == []
    assert driver_hook.remove(machine) == ()


def test_hook_holds_what_was_installed_since(root: Path, checkout: Path) -> None:
    apt = Apt(installed=dict(DRIVER))
    machine = machine_in(root, apt)
    driver_hook.install(machine, checkout, {})
    apt.installed["nvidia-fabricmanager"] = "ii "
    assert driver_hook.install(machine, checkout, {}) == (
        "held against upgrades: nvidia-fabricmanager",
    )
    driver_hook.remove(machine)
    assert apt.held == set()


def test_hold_that_was_lifted_meanwhile_is_no_error(root: Path, checkout: Path) -> None:
    apt = Apt(installed=dict(DRIVER))
    machine = machine_in(root, apt)
    driver_hook.install(machine, checkout, {})
    apt.held = {"nvidia-driver"}
    assert "no longer held: nvidia-driver" in driver_hook.remove(machine)


def test_hook_without_apt_is_the_unit_alone(root: Path, checkout: Path) -> None:
    machine = machine_in(root, Apt(there=False))
    (root / "etc/apt").rmdir()
    driver_hook.install(machine, checkout, {})
    assert files_of(root) == [HOOK, HOOK_LINK, JUDGE]


def test_checkout_without_its_environment_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^The unit must run .* does not exist"):
        driver_hook.install(machine_in(root), tmp_path / "bare", {})
    assert files_of(root) == []


def test_a_checkout_that_moved_is_noticed(root: Path) -> None:
    machine = machine_in(root)
    inside = root / "srv/lab 1%"
    write(root, "/srv/lab 1%/.venv/bin/invoke", "")
    driver_hook.install(machine, inside, {})
    # As that machine sees itself.
    unit = root / HOOK[1:]
    unit.write_text(unit.read_text().replace(str(root), ""))
    assert driver_hook.is_able(machine)
    (inside / ".venv/bin/invoke").unlink()
    assert driver_hook.is_installed(machine)
    assert not driver_hook.is_able(machine)


def test_a_checkout_that_others_may_write_is_not_installed(root: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "lab"
    write(tmp_path, "/lab/.venv/bin/invoke", "")
    machine = machine_in(root)
    settings = Settings()
    driver_hook.insist_on_root_alone(machine, checkout, settings)
    (checkout / ".venv/bin/invoke").chmod(0o666)
    with pytest.raises(InputError) as refused:
        driver_hook.insist_on_root_alone(machine, checkout, settings)
    assert str(refused.value).splitlines()[:2] == [
        "The hook runs at each boot as root, and another account may write what it runs.",
        f"  {checkout}/.venv/bin/invoke may be written by everybody",
    ]


def test_nor_is_one_whose_settings_others_may_write(root: Path, checkout: Path) -> None:
    drivers = checkout.parent / "drivers"
    drivers.mkdir()
    drivers.chmod(0o777)
    machine = machine_in(root)
    settings = Settings.model_validate({"driver": {"packages": drivers}})
    with pytest.raises(InputError, match=f"{drivers} may be written by everybody"):
        driver_hook.insist_on_root_alone(machine, checkout, settings)


@pytest.mark.parametrize("loosened", ["lab.yaml", "cloud-init/base.yaml.j2", "commands", "."])
def test_a_checkout_that_is_loosened_later_is_noticed(root: Path, loosened: str) -> None:
    machine = machine_in(root)
    inside = root / "srv/lab 1%"
    for file in (".venv/bin/invoke", "cloud-init/base.yaml.j2", "commands/x.py"):
        write(root, f"/srv/lab 1%/{file}", "")
    write(root, "/srv/lab 1%/lab.yaml", "timezone: UTC\n")
    environ = {"LAB_SETTINGS": f"{inside}/lab.yaml"}
    driver_hook.install(machine, inside, environ)
    unit = root / HOOK[1:]
    unit.write_text(unit.read_text().replace(str(root), ""))
    assert driver_hook.fault(machine) is None
    path = inside / loosened
    path.chmod(path.stat().st_mode | 0o002)
    fault = driver_hook.fault(machine)
    assert fault is not None
    assert fault.path == path


def test_an_installed_labstamp_is_run_and_judged_as_a_whole(root: Path, tmp_path: Path) -> None:
    place = tmp_path / "pipx 100%"
    installed = environment_in(place)
    machine = machine_in(root)
    driver_hook.install(machine, installed, {})
    lines = (root / HOOK[1:]).read_text().splitlines()
    escaped = str(place).replace("%", "%%")
    assert f"WorkingDirectory={escaped}" in lines
    assert f'ExecStart="{escaped}/bin/labstamp" host.after-driver-update' in lines
    paths = f'"{escaped}" "{escaped}/bin/python" "/etc/labstamp/lab.yaml"'
    assert f"ExecStartPre={JUDGE} {paths}" in lines
    driver_hook.insist_on_root_alone(machine, installed, Settings())
    (installed / "lab/places.py").chmod(0o666)
    with pytest.raises(InputError) as refused:
        driver_hook.insist_on_root_alone(machine, installed, Settings())
    assert f"{installed}/lab/places.py may be written by everybody" in str(refused.value)
    assert f"chown -R root: '{place}'" in str(refused.value)


def test_an_installed_labstamp_is_found_again_from_the_unit(root: Path) -> None:
    machine = machine_in(root)
    installed = environment_in(root / "opt/pipx/venvs/labstamp")
    driver_hook.install(machine, installed, {})
    unit = root / HOOK[1:]
    unit.write_text(unit.read_text().replace(str(root), ""))
    assert driver_hook.is_able(machine)
    assert driver_hook.fault(machine) is None
    # As a later Python has it.
    installed.parent.rename(installed.parent.with_name("python3.13"))
    assert driver_hook.is_able(machine)
    program = root / "opt/pipx/venvs/labstamp/bin/labstamp"
    program.chmod(0o777)
    fault = driver_hook.fault(machine)
    assert fault is not None
    assert fault.path == program
    shutil.rmtree(root / "opt/pipx/venvs/labstamp")
    assert driver_hook.is_installed(machine)
    assert not driver_hook.is_able(machine)


def test_an_installed_labstamp_without_a_program_is_refused(root: Path, tmp_path: Path) -> None:
    """As `pip install --target` leaves it."""
    installed = environment_in(tmp_path / "labstamp")
    (tmp_path / "labstamp/bin/labstamp").unlink()
    with pytest.raises(InputError, match=r"^The unit must run .* does not exist"):
        driver_hook.install(machine_in(root), installed, {})
