"""host.check on the simulated host: each fix it prints is typed as it stands, and mends it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from host.units.packages import of_driver
from lab.machine.ownership import ROOT_ALONE
from lab.own_files import every_fault
from lab.settings.settings import Settings
from tests.support.live_lab.gpu_host import GpuHost
from tests.support.live_lab.lab import INVOKE, ROOT, Said, instances, lxc
from tests.support.live_lab.removing import remove_lab
from tests.support.live_lab.standins import NEW, OLD, make_debs
from tests.support.live_lab.tiny import PREFIX, PROJECT, STABLE, Tiny, make_tiny

ANN, BEN = "hc-ann", "hc-ben"
UNITS = "/etc/systemd/system"
BOOT, HOOK = "labstamp-gpu-boot.service", "labstamp-driver-update.service"

# The machine's own units, packages and memory of them are out of reach: copies are in their place.
DESK = """
set -e
for place in etc/systemd/system etc/apt/apt.conf.d usr/local/lib var/lib/dpkg var/lib/labstamp; do
    mount --bind "$1/$place" "/$place"
done
shift
exec "$@"
"""
PACKAGES = ("nvidia-driver", "libnvidia-ml1", "unattended-upgrades")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where an admin types on the simulated host, with an /etc that dies with the test."""

    host: GpuHost
    tiny: Tiny
    copies: Path

    def types(self, line: str) -> Said:
        """LINE in a shell whose environment is activated."""
        ended = self.host.run(
            *("unshare", "--mount", "--propagation", "private"),
            *("bash", "-c", DESK, "desk", str(self.copies)),
            *("env", f"PATH={INVOKE.parent}:{os.environ['PATH']}", "CI=true"),
            *(f"LAB_SETTINGS={self.tiny.lab.settings}", "bash", "-c", line),
        )
        return Said(code=ended.returncode, out=ended.stdout, err=ended.stderr)

    def succeeds(self, line: str) -> Said:
        said = self.types(line)
        assert said.code == 0, f"{line}: {said.code}\n{said.out}{said.err}"
        return said

    def problems(self) -> list[dict[str, Any]]:
        """What is not ok, from the top."""
        checks = json.loads(self.types("invoke host.check --json").out)["checks"]
        return [one for one in checks if one["status"] != "ok"]

    def has(self, path: str) -> bool:
        return os.path.lexists(f"{self.copies}{path}")


@pytest.fixture(scope="module")
def shared(source: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    """A lab whose releases follow the host."""
    directory = tmp_path_factory.mktemp("desk")
    for version in (OLD, NEW):
        make_debs(directory, version)
    remove_lab(PREFIX, PROJECT)
    tiny = make_tiny(directory, source)
    driver = {"delivery": "image", "packages": str(directory / "debs-{version}")}
    tiny.set(source=source, driver=driver)
    # What containers get at their first boot is the repository's own.
    for file in (ROOT / "cloud-init").iterdir():
        shutil.copy(file, directory / "cloud-init")
    yield tiny
    remove_lab(PREFIX, PROJECT)


@pytest.fixture
def desk(shared: Tiny, gpu_host: GpuHost, tmp_path: Path) -> Iterator[Desk]:
    """A lab with a release that fits the host, and no containers."""
    shared.lab.succeed("build-images")
    copies = tmp_path / "copies"
    for place in ("etc/systemd/system", "etc/apt/apt.conf.d", "usr/local/lib", "var/lib/dpkg"):
        shutil.copytree(f"/{place}", copies / place, symlinks=True)
    Path("/var/lib/labstamp").mkdir(exist_ok=True)  # with locks, where any was held
    (copies / "var/lib/labstamp").mkdir()
    _remove()
    yield Desk(host=gpu_host, tiny=shared, copies=copies)
    _remove()


def _remove() -> None:
    for name in (ANN, BEN):
        if name in instances("default"):
            lxc("config", "set", name, "security.protection.delete=false")
            lxc("delete", "--force", name)
    for volume in lxc("storage", "volume", "list", _pool(), "-f", "csv", "-c", "n").split():
        if volume == f"home-{ANN}":
            lxc("storage", "volume", "delete", _pool(), volume)


def _pool() -> str:
    return lxc("profile", "device", "get", "default", "root", "pool").strip()


def _provision(desk: Desk, key: Path) -> None:
    """hc-ann is ours, hc-ben somebody made by hand; both have a GPU."""
    desk.tiny.lab.succeed(
        *("provision", ANN, "--template", "tiny", "--gpus", "1"),
        *("--key", str(key.with_suffix(".pub"))),
    )
    lxc("init", STABLE, BEN)
    lxc("config", "device", "add", BEN, "gpu0", "gpu", "pci=0000:b1:00.0")
    lxc("start", BEN)


def _nodes(name: str) -> set[str]:
    """NVIDIA's in a running container's /dev; what tells the stand-ins apart left out."""
    names = lxc("exec", name, "--", "ls", "/dev").split()
    return {one for one in names if one.startswith("nvidia") and "simulated" not in one}


def test_after_a_power_cut_the_fixes_typed_in_order_mend_it(desk: Desk, key: Path) -> None:
    _provision(desk, key)
    desk.host.reboot(uvm=False)
    _until_running(ANN, BEN)
    assert "nvidia-uvm" not in _nodes(ANN) | _nodes(BEN)
    said = desk.types("invoke host.check")
    assert said.code == 3
    assert "gpu-nodes: missing: /dev/nvidia-uvm" in said.out
    assert f"fix: invoke restart {ANN}" in said.out
    broken = [one for one in desk.problems() if one["status"] == "fail"]
    assert [(one["name"], one["subject"]) for one in broken] == [
        ("gpu-nodes", None),
        ("container-nodes", ANN),
        ("container-nodes", BEN),
    ]
    for one in broken:
        desk.succeeds(one["fix"])
    assert {"nvidia-uvm", "nvidia-uvm-tools", "nvidiactl"} <= _nodes(ANN) & _nodes(BEN)
    assert desk.types("invoke host.check").code == 0


def test_devices_that_name_no_gpu_are_mended_by_what_is_printed(desk: Desk, key: Path) -> None:
    _provision(desk, key)
    lxc("config", "device", "add", BEN, "by-number", "gpu", "id=2")
    lxc("config", "device", "add", ANN, "by-hand", "gpu", "id=4")
    assert {f"nvidia{number}" for number in range(4)} <= _nodes(ANN) & _nodes(BEN)
    loose = [one for one in desk.problems() if one["name"] == "cards-by-address"]
    assert [(one["subject"], one["fix"]) for one in loose] == [
        (ANN, f"invoke provision {ANN} --gpus 0000:31:00.0,0000:ca:00.0"),
        (BEN, f"lxc config device set {BEN} by-number id= pci=0000:4b:00.0"),
    ]
    for one in loose:
        desk.succeeds(one["fix"])
    uvm = {"nvidiactl", "nvidia-uvm", "nvidia-uvm-tools"}
    assert _nodes(ANN) == {"nvidia0", "nvidia3"} | uvm
    assert _nodes(BEN) == {"nvidia1", "nvidia2"} | uvm
    assert not [one for one in desk.problems() if one["name"] == "cards-by-address"]


def test_the_boot_unit_is_missed_installed_and_removed(desk: Desk) -> None:
    (missing,) = [one for one in desk.problems() if one["name"] == "gpu-boot-unit"]
    assert (missing["found"], missing["status"]) == ("not installed", "warn")
    desk.succeeds(missing["fix"])
    assert desk.has(f"{UNITS}/multi-user.target.wants/{BOOT}")
    assert "nothing to do" in desk.succeeds("invoke host.install-gpu-unit").out
    # All that starts at boot, so that an order which goes in a circle shows.
    judged = desk.succeeds(f"systemd-analyze verify {BOOT} lxd.service lxd-containers.service")
    assert "labstamp" not in judged.err
    assert "cycle" not in judged.err
    desk.host.nodes("lose")
    (start,) = _lines(desk, BOOT, "ExecStart")
    assert "gpu-boot: ready" in desk.succeeds(start).out
    assert desk.host.run("test", "-c", "/dev/nvidia-uvm").returncode == 0
    desk.succeeds("invoke host.remove-gpu-unit")
    assert not desk.has(f"{UNITS}/{BOOT}")
    assert not desk.has(f"{UNITS}/multi-user.target.wants/{BOOT}")
    assert not desk.has("/usr/local/lib/labstamp")


def test_the_hook_brings_release_and_container_to_the_new_driver(desk: Desk, key: Path) -> None:
    _provision(desk, key)
    _pretend_installed(desk)
    (risk,) = [one for one in desk.problems() if one["name"] == "driver-packages"]
    assert risk["found"] == "unattended upgrades may replace libnvidia-ml1 and 1 more"
    if every_fault(ROOT, Settings(), ROOT_ALONE):
        # Somebody's own checkout, by sudo: what runs at boot has to be root's.
        refused = desk.types(risk["fix"])
        assert (refused.code, refused.err[:35]) == (2, "error: The hook runs at each boot a")
        assert not desk.has(f"{UNITS}/{HOOK}")
        return
    desk.succeeds(risk["fix"])
    assert desk.succeeds("apt-mark showhold").out.split() == ["libnvidia-ml1", "nvidia-driver"]
    assert not [one for one in desk.problems() if one["name"] == "driver-packages"]
    assert desk.has(f"{UNITS}/multi-user.target.wants/{HOOK}")
    assert "labstamp" not in desk.succeeds(f"systemd-analyze verify {HOOK}").err
    assert "nothing to do" in desk.succeeds("invoke host.install-driver-hook").out

    quick = desk.succeeds(_as_systemd_starts_it(desk))
    assert quick.out == f"Every release and container fits driver {OLD}; nothing to do.\n"
    desk.host.driver(NEW)
    _until_running(ANN)
    drifting = {one["name"] for one in desk.problems() if one["name"].endswith("-driver")}
    assert drifting == {"release-driver", "container-driver"}
    desk.succeeds(_as_systemd_starts_it(desk))
    found = desk.tiny.lab.succeed("drivers", "--json").document
    is_managed = [one for one in found["containers"] if one["name"] == ANN]
    assert [(one["driver"], one["drift"]) for one in is_managed] == [(NEW, False)]
    asked = ("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    assert lxc("exec", ANN, "--", *asked).split() == [NEW]
    lxc("init", STABLE, "hc-look")
    try:
        lxc("file", "pull", f"hc-look/usr/lib/x86_64-linux-gnu/libcuda.so.{NEW}", "-")
    finally:
        lxc("delete", "hc-look")
    quick = desk.succeeds(_as_systemd_starts_it(desk))
    assert quick.out == f"Every release and container fits driver {NEW}; nothing to do.\n"

    desk.succeeds("invoke host.remove-driver-hook")
    assert desk.succeeds("apt-mark showhold").out == ""
    assert not desk.has(f"{UNITS}/{HOOK}")
    assert not desk.has(f"{UNITS}/multi-user.target.wants/{HOOK}")
    assert not desk.has("/usr/local/lib/labstamp")
    assert not desk.has("/etc/apt/apt.conf.d/52labstamp-nvidia")
    assert not desk.has("/var/lib/labstamp/held-packages")
    assert "nothing to do" in desk.succeeds("invoke host.remove-driver-hook").out


def _pretend_installed(desk: Desk) -> None:
    """Packages that dpkg takes for installed, without a file of them; no other one of a driver.

    This machine may have some: browsers bring libxnvctrl0 with them.
    """
    status = desk.copies / "var/lib/dpkg/status"
    there = status.read_text().rstrip("\n").split("\n\n")
    others = [one for one in there if not of_driver([one.split("\n")[0].split(": ")[-1]])]
    pretended = [
        f"Package: {name}\nStatus: install ok installed\nArchitecture: all\n"
        f"Version: {OLD}-1\nMaintainer: labstamp tests <tests@lab.example>\n"
        "Description: STAND-IN of labstamp's tests"
        for name in PACKAGES
    ]
    status.write_text("\n\n".join([*others, *pretended]) + "\n")


def _lines(desk: Desk, unit: str, key: str) -> list[str]:
    text = (desk.copies / f"etc/systemd/system/{unit}").read_text()
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]


def _as_systemd_starts_it(desk: Desk) -> str:
    """The hook's unit as one command line. Its quotes are those of a shell for such paths."""
    (directory,) = _lines(desk, HOOK, "WorkingDirectory")
    (judge,) = _lines(desk, HOOK, "ExecStartPre")
    (start,) = _lines(desk, HOOK, "ExecStart")
    assert Path(directory) == ROOT
    environ = " ".join(_lines(desk, HOOK, "Environment"))
    bare = "env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    here = f"cd {shlex.quote(directory)}"
    return f"{here} && {bare} {environ} {judge} && {bare} {environ} {start}"


def _until_running(*names: str) -> None:
    """LXD starts again what ran before; a container's ls needs its system to be there."""
    deadline = time.monotonic() + 60
    for name in names:
        while True:
            try:
                lxc("exec", name, "--", "true")
                break
            except subprocess.CalledProcessError:
                assert time.monotonic() < deadline, f"{name} does not run again"
                time.sleep(0.3)
