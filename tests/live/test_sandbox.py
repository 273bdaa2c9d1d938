"""ci/sandbox and host.setup on an LXD of their own, in namespaces that die with the test."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from host.machine import Machine as Host
from host.setup.setup import set_up
from lab.lxd.client import connect
from lab.lxd.model import InstanceSpec, State
from lab.lxd.port import Lxd
from lab.report import Silent
from lab.settings.settings import Settings
from tests.support.live_lab.own_lxd import SANDBOX, directory
from tests.support.tiny_root import make_unified

pytestmark = pytest.mark.plain

BRIDGE = "labsandbox0"
SETTINGS = Settings(pool="labsandbox", network=BRIDGE)
NOT_RUNNING = 3
HOST = Host(superuser=False)
"""Whose limits stay as they are."""

# Nothing of this machine's LXDs: not their processes, lxcfs, lock files in /run, nor their mounts,
# which a copy would keep busy for as long as this namespace is there.
PREPARE = """
mount -t tmpfs tmpfs /run
for lxd in /var/lib/lxcfs $(awk 'sub("/shmounts$", "", $2) { print $2 }' /proc/self/mounts); do
    awk -v at="$lxd/" 'index($2 "/", at) == 1 { print $2 }' /proc/self/mounts | sort -r |
        while read -r place; do umount -l "$place"; done
done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A mount and a PID namespace; its first process does nothing but hold them."""

    holder: int
    directory: Path

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["nsenter", "--mount", "--pid", f"--target={self.holder}", "--", *argv],
            env={**os.environ, "LXD_DIR": str(self.directory)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def sandbox(self, *arguments: str, expected: int = 0) -> str:
        ended = self.run(str(SANDBOX), *arguments)
        assert ended.returncode == expected, ended.stdout + ended.stderr
        return ended.stdout

    def daemon(self) -> int:
        """Its PID inside."""
        answer = self.run("lxc", "-q", "query", "/1.0")
        return int(json.loads(answer.stdout)["environment"]["server_pid"])

    def kill(self, pid: int) -> None:
        assert self.run("sh", "-c", f"kill -KILL {pid}").returncode == 0

    def processes(self) -> list[str]:
        """All but the holder, who looks, and what is dead and only not yet buried."""
        lines = self.run("ps", "-e", "-o", "pid=,stat=,args=").stdout.splitlines()
        fields = [line.split(maxsplit=2) for line in lines]
        return [
            " ".join(rest)
            for pid, stat, *rest in fields
            if pid != "1" and not stat.startswith("Z") and not rest[0].startswith("ps -e")
        ]

    def mounts(self) -> list[str]:
        table = self.run("cat", "/proc/self/mounts").stdout
        places = [line.split()[1] for line in table.splitlines()]
        is_managed = (f"{self.directory}/", "/var/lib/lxcfs/")
        return [place for place in places if f"{place}/".startswith(is_managed)]


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    place = directory("sandbox")
    holder = subprocess.Popen(
        # Dies with pytest, whatever ends that.
        [
            *("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork"),
            *("--mount-proc", "--kill-child", "sleep", "900"),
        ],
        stdin=subprocess.DEVNULL,
    )
    inside = first_child(holder.pid)
    machine = Machine(holder=inside, directory=place)
    try:
        assert machine.run("bash", "-ec", PREPARE).returncode == 0
        yield machine
    finally:
        machine.run(str(SANDBOX), "stop")
        holder.kill()
        holder.wait()
        subprocess.run(["ip", "link", "delete", BRIDGE], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(place, ignore_errors=True)


def first_child(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if found := children.read_text().split():
            return int(found[0])
        time.sleep(0.05)
    raise AssertionError("unshare did not start its child")


@pytest.fixture
def lxd(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Lxd:
    """Running and set up; sockets are found by path, across namespaces."""
    machine.sandbox("start")
    monkeypatch.setenv("LXD_DIR", str(machine.directory))
    lxd = connect()
    set_up(lxd, SETTINGS, Silent(), machine=HOST)
    return lxd


@pytest.fixture
def container(lxd: Lxd, tmp_path: Path) -> str:
    """The name of a running container."""
    if lxd.instance("c1") is None:
        image = lxd.import_image(make_unified(tmp_path / "tiny.tar"), None, properties={})
        lxd.create(InstanceSpec(name="c1", image=image.fingerprint))
    if lxd.state("c1").state is not State.RUNNING:
        lxd.start("c1")
    return "c1"


def first_process(machine: Machine, container: str) -> int:
    state = machine.run("lxc", "-q", "query", f"/1.0/instances/{container}/state").stdout
    return int(json.loads(state)["pid"])


def assert_clean(machine: Machine) -> None:
    assert machine.processes() == []
    assert machine.mounts() == []
    assert not Path(f"/sys/class/net/{BRIDGE}").exists()
    assert str(machine.directory) not in machine.run("losetup", "--list").stdout


def test_start_and_stop_say_what_they_find(machine: Machine) -> None:
    machine.sandbox("status", expected=NOT_RUNNING)
    assert "nothing to stop" in machine.sandbox("stop")
    assert "LXD 5" in machine.sandbox("start")
    assert "runs already" in machine.sandbox("start")
    assert str(machine.directory / "unix.socket") in machine.sandbox("status")
    machine.sandbox("shell", "--", "sh", "-c", "exit 7", expected=7)
    assert f"LXD stopped ({machine.directory}" in machine.sandbox("stop")
    machine.sandbox("status", expected=NOT_RUNNING)
    assert_clean(machine)


def test_set_up_makes_what_is_missing_once(lxd: Lxd) -> None:
    assert [pool.name for pool in lxd.pools()] == ["labsandbox"]
    assert set_up(lxd, SETTINGS, Silent(), machine=HOST) == ()


def test_container_outlives_a_killed_daemon(machine: Machine, container: str) -> None:
    before = first_process(machine, container)
    machine.kill(machine.daemon())
    machine.sandbox("status", expected=NOT_RUNNING)
    machine.sandbox("start")
    assert first_process(machine, container) == before
    assert connect().run(container, ["true"]).exit_code == 0


def test_clean_stop_leaves_nothing(machine: Machine, container: str) -> None:
    machine.sandbox("stop")
    assert_clean(machine)
    machine.sandbox("start")
    assert container in machine.run("lxc", "-q", "list", "--format=csv", "--columns=n").stdout


def test_stop_cleans_up_after_a_killed_daemon(machine: Machine, container: str) -> None:
    machine.kill(machine.daemon())
    assert "halting 1 container" in machine.sandbox("stop")
    assert_clean(machine)


def test_start_survives_what_a_dead_machine_left(machine: Machine, container: str) -> None:
    """lxcfs dead under its mount, a socket nobody listens to, mounts without a daemon."""
    container_pid = first_process(machine, container)
    machine.kill(machine.daemon())
    machine.kill(container_pid)
    assert machine.run("pkill", "-KILL", "lxcfs").returncode == 0
    assert machine.run("ls", "/var/lib/lxcfs").returncode != 0
    machine.sandbox("start")
    assert machine.run("cat", "/var/lib/lxcfs/proc/uptime").returncode == 0
    assert connect().instance(container) is not None
