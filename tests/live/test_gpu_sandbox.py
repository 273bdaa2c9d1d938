"""The host with GPUs that ci/sandbox simulates, on an LXD of its own, and the stand-ins on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from host.machine import Machine
from host.setup.setup import set_up
from lab.lxd import parse
from lab.lxd.client import connect
from lab.lxd.model import InstanceSpec, State
from lab.lxd.port import Lxd
from lab.report import Silent
from lab.settings.settings import Settings
from tests.support.live_lab.gpu_host import GPUS, VERSION, GpuHost
from tests.support.live_lab.lab import lxc_ended
from tests.support.live_lab.own_lxd import SANDBOX, directory
from tests.support.live_lab.standins import NEW, unpacked
from tests.support.tiny_root import make_unified

BRIDGE = "labgpus0"
SETTINGS = Settings(pool="labgpus", network=BRIDGE)
MODEL = "NVIDIA GeForce RTX 4090"
CONTROL = {"nvidiactl", "nvidia-uvm", "nvidia-uvm-tools"}
NO_DRIVER, NO_GPU, MISMATCH = 9, 6, 18


class Sandbox(GpuHost):
    """Its verbs as they are typed."""

    def type(self, *arguments: str, expected: int = 0) -> str:
        ended = self._sandbox(*arguments, check=False)
        said = ended.stdout + ended.stderr
        assert ended.returncode == expected, said
        return said

    def daemon(self) -> int:
        return int(json.loads(self.lxc("query", "/1.0"))["environment"]["server_pid"])

    def lxc(self, *arguments: str) -> str:
        ended = lxc_ended(*arguments, environ=self._environment)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def inside(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv, env=self._environment, capture_output=True, text=True, check=False, timeout=120
        )

    def nodes_in(self, name: str) -> set[str]:
        """NVIDIA's nodes in a container, but for the one that the stand-in needs."""
        found = self.lxc("exec", name, "--", "ls", "/dev").split()
        return {one for one in found if one.startswith("nvidia") and "simulated" not in one}

    def smi(self, name: str, *arguments: str) -> tuple[int, list[str]]:
        ended = lxc_ended("exec", name, "--", "nvidia-smi", *arguments, environ=self._environment)
        return ended.returncode, ended.stdout.splitlines()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    place = directory("gpus")
    sandbox = Sandbox(environ={"LXD_DIR": str(place)})
    try:
        yield sandbox
    finally:
        sandbox._sandbox("stop", check=False)
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def lxd(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Lxd:
    sandbox.type("start", "--gpus", "4", "--driver", VERSION)
    monkeypatch.setenv("LXD_DIR", sandbox.environ["LXD_DIR"])
    lxd = connect()
    set_up(lxd, SETTINGS, Silent(), machine=Machine(superuser=False))
    return lxd


@pytest.fixture
def container(lxd: Lxd, sandbox: Sandbox, tmp_path: Path) -> str:
    """A running one without GPUs, with the userland of VERSION."""
    if lxd.instance("c1") is None:
        image = lxd.import_image(make_unified(tmp_path / "tiny.tar"), None, properties={})
        lxd.create(InstanceSpec(name="c1", image=image.fingerprint))
    for device in json.loads(sandbox.lxc("query", "/1.0/instances/c1"))["devices"]:
        sandbox.lxc("config", "device", "remove", "c1", device)
    if lxd.state("c1").state is not State.RUNNING:
        lxd.start("c1")
    for file in unpacked(VERSION):
        if file.content is not None:
            lxd.write_file("c1", f"/{file.path}", file.content, mode=file.mode)
        else:
            lxd.run("c1", ["ln", "-sf", file.target, f"/{file.path}"])
    return "c1"


def _first_process(sandbox: Sandbox, name: str) -> int:
    return int(json.loads(sandbox.lxc("query", f"/1.0/instances/{name}/state"))["pid"])


def test_lxd_lists_four_gpus_after_the_board_s_own_vga(lxd: Lxd, sandbox: Sandbox) -> None:
    found = json.loads(sandbox.lxc("query", "/1.0/resources"))["gpu"]["cards"]
    assert [one["pci_address"] for one in found] == ["0000:03:00.0", *GPUS]
    for minor, gpu in enumerate(found[1:]):
        assert (gpu["driver"], gpu["driver_version"]) == ("nvidia", VERSION)
        assert gpu["nvidia"]["uuid"] == GPUS[gpu["pci_address"]]
        assert gpu["nvidia"]["model"] == MODEL
        assert gpu["nvidia"]["card_name"] == f"nvidia{minor}"
        assert gpu["drm"]["id"] == minor + 1
    # labstamp reads them itself, for LXD may suffer from listing them (lab/lxd/gpus.py).
    gpus = lxd.gpus()
    assert gpus == parse.gpus(found)
    assert [gpu.pci for gpu in gpus] == list(GPUS)


def test_it_says_what_it_simulates(lxd: Lxd, sandbox: Sandbox) -> None:
    assert f", 4 simulated {MODEL}, driver {VERSION}" in sandbox.type("status")
    assert "runs already" in sandbox.type("start", "--gpus", "4", "--driver", VERSION)
    said = sandbox.type("start", "--gpus", "3", expected=2)
    assert said.splitlines()[-2:] == [
        f"It has 4 simulated {MODEL}, driver {VERSION}, not 3 {MODEL}, driver {VERSION}.",
        "Next: ci/sandbox stop, then start it again",
    ]
    for wrong in (
        ["--gpus", "9"],
        ["--gpus"],
        ["--cards", "1"],
        ["--gpus", "1", "--driver", "new"],
    ):
        sandbox.type("start", *wrong, expected=2)
    sandbox.type("driver", "latest", expected=2)
    sandbox.type("nodes", "find", expected=2)


def test_the_host_s_own_eyes_see_it_and_nobody_else_s(lxd: Lxd, sandbox: Sandbox) -> None:
    assert f"Kernel Module  {VERSION}  " in sandbox.run("cat", "/proc/driver/nvidia/version").stdout
    devices = sandbox.run("cat", "/proc/devices").stdout.splitlines()
    assert {"195 nvidia", "510 nvidia-uvm"} <= set(devices)
    seen = sandbox.run("sh", "-c", "cd /dev; echo nvidia[0-9]* nvidiactl nvidia-uvm").stdout.split()
    assert seen == [*(f"nvidia{minor}" for minor in range(4)), "nvidiactl", "nvidia-uvm"]
    link = "/sys/bus/pci/devices/0000:b1:00.0/driver"
    assert sandbox.run("readlink", link).stdout.strip().endswith("/nvidia")
    assert not list(Path("/dev").glob("nvidia*"))
    assert not Path("/proc/driver/nvidia").exists()
    assert not Path("/sys/bus/pci/devices/0000:b1:00.0").exists()


def test_a_container_sees_the_gpu_it_was_given(container: str, sandbox: Sandbox) -> None:
    assert sandbox.nodes_in(container) == set()
    sandbox.lxc("config", "device", "add", container, "gpu0", "gpu", "pci=0000:b1:00.0")
    assert sandbox.nodes_in(container) == {"nvidia2", *CONTROL}
    sandbox.lxc("restart", "--force", container)
    assert sandbox.nodes_in(container) == {"nvidia2", *CONTROL}
    sandbox.lxc("config", "device", "add", container, "gpu1", "gpu", "pci=0000:31:00.0")
    assert sandbox.nodes_in(container) == {"nvidia0", "nvidia2", *CONTROL}
    query = "--query-gpu=index,pci.bus_id,uuid,name,driver_version"
    assert sandbox.smi(container, query, "--format=csv,noheader") == (
        0,
        [
            f"0, 00000000:31:00.0, {GPUS['0000:31:00.0']}, {MODEL}, {VERSION}",
            f"1, 00000000:B1:00.0, {GPUS['0000:b1:00.0']}, {MODEL}, {VERSION}",
        ],
    )
    for device in ("gpu0", "gpu1"):
        sandbox.lxc("config", "device", "remove", container, device)
    assert sandbox.nodes_in(container) == set()


def test_another_driver_after_a_reboot(container: str, sandbox: Sandbox) -> None:
    sandbox.lxc("config", "device", "add", container, "gpu0", "gpu", "pci=0000:ca:00.0")
    sandbox.lxc("copy", container, "c2")
    assert sandbox.smi(container, "-L")[0] == 0
    sandbox.driver(NEW)
    assert sandbox.driver_version() == NEW
    assert f"Kernel Module  {NEW}  " in sandbox.run("cat", "/proc/driver/nvidia/version").stdout
    states = sandbox.lxc("list", "--format=csv", "--columns=ns").split()
    assert states == [f"{container},RUNNING", "c2,STOPPED"]
    assert sandbox.nodes_in(container) == {"nvidia3", *CONTROL}
    assert sandbox.smi(container) == (
        MISMATCH,
        [
            "Failed to initialize NVML: Driver/library version mismatch",
            f"NVML library version: {VERSION.rpartition('.')[0]}",
        ],
    )
    sandbox.lxc("delete", "c2")
    sandbox.driver(VERSION)
    assert sandbox.smi(container)[0] == 0


def test_without_a_gpu_there_is_no_driver_inside(container: str, sandbox: Sandbox) -> None:
    code, said = sandbox.smi(container)
    assert code == NO_DRIVER
    assert said[0].startswith("NVIDIA-SMI has failed because it couldn't communicate with the")


def test_control_nodes_without_a_gpu(container: str, sandbox: Sandbox) -> None:
    sandbox.lxc("config", "device", "add", container, "gpu0", "gpu", "pci=0000:31:00.0")
    sandbox.lxc("exec", container, "--", "umount", "/dev/nvidia0")
    sandbox.lxc("exec", container, "--", "rm", "/dev/nvidia0")
    assert sandbox.smi(container) == (NO_GPU, ["No devices were found"])


def test_a_power_cut_loses_the_uvm_nodes(container: str, sandbox: Sandbox) -> None:
    sandbox.lxc("config", "device", "add", container, "gpu0", "gpu", "pci=0000:31:00.0")
    sandbox.reboot(uvm=False)
    assert sandbox.nodes_in(container) == {"nvidia0", "nvidiactl"}
    assert sandbox.smi(container)[0] == 0
    assert sandbox.run("nvidia-modprobe", "-u", "-c", "0").returncode == 0
    assert sandbox.nodes_in(container) == {"nvidia0", "nvidiactl"}
    sandbox.lxc("restart", "--force", container)
    assert sandbox.nodes_in(container) == {"nvidia0", *CONTROL}
    sandbox.nodes("lose")
    assert sandbox.run("test", "-e", "/dev/nvidia-uvm").returncode != 0
    sandbox.nodes("make")
    assert sandbox.run("test", "-e", "/dev/nvidia-uvm").returncode == 0


def test_gpus_and_containers_outlive_a_killed_daemon(container: str, sandbox: Sandbox) -> None:
    sandbox.lxc("config", "device", "add", container, "gpu0", "gpu", "pci=0000:4b:00.0")
    before = _first_process(sandbox, container)
    os.kill(sandbox.daemon(), 9)
    sandbox.type("start")
    assert _first_process(sandbox, container) == before
    assert len(connect().gpus()) == len(GPUS)
    assert sandbox.nodes_in(container) == {"nvidia1", *CONTROL}


def test_stop_leaves_nothing_and_another_start_has_other_gpus(
    container: str, sandbox: Sandbox
) -> None:
    place = sandbox.environ["LXD_DIR"]
    sandbox.type("stop")
    assert not list(Path("/dev").glob("nvidia*"))
    assert list(Path(place, "gpu-host").iterdir()) == []
    assert not Path(f"/sys/class/net/{BRIDGE}").exists()
    tables = [file.read_text() for file in _mount_tables()]
    assert [table for table in tables if place in table] == []
    assert place not in sandbox.inside("losetup", "--list").stdout
    sandbox.type("start", "--gpus", "8", "--driver", NEW, "--model", "NVIDIA H100 PCIe")
    found = connect().gpus()
    assert [gpu.pci for gpu in found][:4] == list(GPUS)
    assert (len(found), found[7].model) == (8, "NVIDIA H100 PCIe")
    assert sandbox.smi(container, "-L")[0] == NO_DRIVER
    sandbox.type("stop")
    sandbox.type("start")
    assert "simulated" not in sandbox.type("status")
    assert connect().gpus() == ()
    said = sandbox.type("driver", NEW, expected=2)
    assert "has no simulated GPUs" in said
    sandbox.type("stop")


def _mount_tables() -> Iterator[Path]:
    for process in Path("/proc").glob("[0-9]*"):
        table = process / "mounts"
        try:
            table.read_text()
        except OSError:
            continue
        yield table


# In a /dev that has what NVIDIA's driver makes.
_REAL = """
mkdir -p "$1" && mount -t tmpfs tmpfs "$1"
cp -a /dev/fd /dev/null /dev/zero /dev/full /dev/urandom /dev/fuse /dev/pts "$1"
mknod "$1/nvidiactl" c 195 255
mount --move "$1" /dev
exec "$2" start --gpus 1
"""


def test_none_is_simulated_beside_a_real_driver(sandbox: Sandbox, tmp_path: Path) -> None:
    place = str(tmp_path / "dev")
    argv = ["unshare", "--mount", "sh", "-ec", _REAL, "sh", place, str(SANDBOX)]
    ended = sandbox.inside(*argv)
    assert ended.returncode == 2
    assert ended.stderr.startswith("This machine has NVIDIA's driver: none is simulated beside it.")
    assert "does not run" in sandbox.type("status", expected=3)
