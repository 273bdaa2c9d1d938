"""A driver update with people's containers, on the simulated host: whose are mended, whose not."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.wait import poll
from tests.support.live_lab.gpu_containers import destroy
from tests.support.live_lab.gpu_host import GPUS, GpuHost
from tests.support.live_lab.lab import Said, lxc, query
from tests.support.live_lab.standins import NEW, OLD, make_debs
from tests.support.live_lab.tiny import Tiny

ANN, BEN, CAT, DAN, EVE, FAY = PEOPLE = tuple(
    f"sd-{name}" for name in ("ann", "ben", "cat", "dan", "eve", "fay")
)
THEIRS = """
set -e
echo notes of "$1" >/root/notes
echo thesis of "$1" >"/home/$1/thesis"
chown "$1" "/home/$1/thesis"
mkdir -p /opt/tool
echo tool of "$1" >/opt/tool/run
dpkg --install /root/users-own.deb >/dev/null
setsid sleep 7777 >/dev/null 2>&1 </dev/null &
"""
SEEN = """
stat -c '%U %a %n' /root/notes "/home/$1/thesis" /opt/tool/run
cat /root/notes "/home/$1/thesis" /opt/tool/run
dpkg-query --show users-own
pgrep --exact sleep
"""
BUSY = """
setsid python3 -c 'import os, time
os.open("/dev/nvidia0", os.O_PATH)
time.sleep(7777)' >/dev/null 2>&1 </dev/null &
"""
BROKEN_APT = "/etc/apt/apt.conf.d/99-broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Six containers on driver OLD: four with a GPU each, EVE shares ANN's, FAY is stopped."""

    tiny: Tiny
    host: GpuHost
    packages: Path
    """The directory with NEW's."""

    def sync(self, *arguments: str) -> Said:
        return self.tiny.lab.invoke("sync-drivers", *arguments)

    def drivers(self) -> dict[str, Any]:
        document: dict[str, Any] = self.tiny.lab.succeed("drivers", "--json").document
        return document

    def drifting(self) -> set[str]:
        return {one["name"] for one in self.drivers()["containers"] if one["drift"]}


def shell(name: str, script: str) -> str:
    """What SCRIPT prints in the container NAME, which is its $1."""
    return lxc("exec", name, "--", "sh", "-c", script, "sh", name)


def snapshots(name: str) -> list[str]:
    found: list[str] = query(f"/1.0/instances/{name}/snapshots")
    return found


def keys(name: str) -> dict[str, str]:
    config = query(f"/1.0/instances/{name}")["config"]
    return {key: value for key, value in config.items() if key.startswith("user.lab.")}


def state(name: str) -> str:
    return str(query(f"/1.0/instances/{name}")["status"])


def users_own(directory: Path) -> Path:
    """A package that a user installed by hand."""
    control = directory / "users-own" / "DEBIAN" / "control"
    control.parent.mkdir(parents=True)
    control.write_text(
        "Package: users-own\nVersion: 1.2-3\nArchitecture: all\n"
        "Maintainer: a user <user@lab.example>\nDescription: of a user's own, for tests only\n"
    )
    package = directory / "users-own.deb"
    subprocess.run(
        ["dpkg-deb", "--build", "--root-owner-group", str(control.parents[1]), str(package)],
        check=True,
        capture_output=True,
    )
    return package


@pytest.fixture
def people(tiny: Tiny, gpu_host: GpuHost, key: Path, tmp_path: Path) -> Iterator[People]:
    for version in (OLD, NEW):
        make_debs(tmp_path, version)
    source = json.loads(tiny.lab.settings.read_text())["source"]
    driver = {"delivery": "image", "packages": str(tmp_path / "debs-{version}")}
    tiny.set(source=source, driver=driver)
    tiny.lab.succeed("build-images")
    destroy(tiny.lab, PEOPLE)
    package = users_own(tmp_path)

    def settle(name: str, gpu: str) -> None:
        public = str(key.with_suffix(".pub"))
        tiny.lab.succeed(*("provision", name, "--template", "tiny", "--gpus", gpu, "--key", public))
        lxc("file", "push", str(package), f"{name}/root/users-own.deb")
        shell(name, THEIRS)

    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(settle, PEOPLE, [*GPUS, *GPUS]))
    lxc("stop", "--force", FAY)
    yield People(tiny=tiny, host=gpu_host, packages=tmp_path / f"debs-{NEW}")
    destroy(tiny.lab, PEOPLE)


def _until_up(*names: str) -> None:
    """The reboot starts again what ran."""
    for name in names:

        def probe(name: str = name) -> bool | None:
            if state(name) != "Running":
                return None
            return "running" in shell(name, "systemctl is-system-running || true") or None

        poll(probe, what=f"the boot of {name}", timeout=120)


def test_a_driver_update_is_one_command(people: People) -> None:
    assert people.drifting() == set()
    assert "nothing to do" in people.sync().out
    people.host.driver(NEW)
    _until_up(ANN, BEN, CAT, DAN, EVE)
    for name in (ANN, BEN, CAT):
        shell(name, "setsid sleep 7777 >/dev/null 2>&1 </dev/null &")
    before = {name: shell(name, SEEN) for name in (ANN, BEN, CAT)}
    told = people.drivers()
    assert (told["host"], people.drifting()) == (NEW, set(PEOPLE))
    assert [one["drift"] for one in told["images"]] == [True]
    away = people.packages.rename(people.packages.with_name("away"))
    refused = people.sync()
    assert (refused.code, refused.out) == (2, "")
    assert f"There is no .deb file of driver {NEW}." in refused.err
    away.rename(people.packages)
    assert [snapshots(name) for name in PEOPLE] == [[]] * len(PEOPLE)
    planned = people.sync("--plan").out.splitlines()
    assert [line.split(":")[0] for line in planned] == list(PEOPLE)

    # A run that is killed amid an installation leaves a way back, which the next one tidies up.
    people.tiny.lab.signal_at(
        signal.SIGKILL, lambda line: line.endswith(f"{ANN}: driver {NEW}\n"), "sync-drivers", ANN
    )
    assert len(snapshots(ANN)) == 1
    shell(DAN, f"echo 'DPkg::Post-Invoke {{\"false\";}};' >{BROKEN_APT}")
    shell(EVE, BUSY)

    said = people.sync()
    assert said.code == 5, said.out + said.err
    assert f"{EVE}: skip, its GPUs are in use by python3 (" in said.out
    assert f"error: 1 container could not be brought to driver {NEW}." in said.err
    assert f"  {DAN}: " in said.err
    assert "The container was rolled back." in said.err
    assert people.drifting() == {DAN, EVE}
    # Nobody else notices: same files, same packages, the same processes.
    assert {name: shell(name, SEEN) for name in before} == before
    for name, gpu in zip((ANN, BEN, CAT), GPUS, strict=False):
        assert shell(name, "nvidia-smi --query-gpu=uuid,driver_version --format=csv,noheader") == (
            f"{GPUS[gpu]}, {NEW}\n"
        )
        assert {"libcuda1", "nvidia-smi"} <= set(shell(name, "apt-mark showhold").split())
        assert keys(name)["user.lab.driver"] == NEW
    assert shell(DAN, "dpkg-query --show --showformat '${Version}' libcuda1") == f"{OLD}-1"
    assert (state(DAN), state(FAY)) == ("Running", "Stopped")
    assert keys(DAN)["user.lab.driver"] == OLD
    for name in PEOPLE:
        assert snapshots(name) == []
        assert "user.lab.sync" not in keys(name)

    shell(DAN, f"rm {BROKEN_APT}")
    forced = people.sync("--force")
    assert forced.code == 0, forced.err
    assert people.drifting() == set()
    after = {name: query(f"/1.0/instances/{name}") for name in PEOPLE}
    again = people.sync()
    assert again.code == 0
    assert again.out == f"Every container fits the host's driver {NEW}; nothing to do.\n"
    assert {name: query(f"/1.0/instances/{name}") for name in PEOPLE} == after
