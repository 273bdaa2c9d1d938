"""The simulated host with four GPUs that ci/sandbox runs LXD on (ci/gpu-host)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from lab.hardware.sysfs import graphics_cards, root_seen_by
from tests.support.live_lab.own_lxd import SANDBOX, sandbox

VERSION: Final = "535.261.03"
GPUS: Final = {
    f"0000:{bus}:00.0": f"GPU-0000000{minor}-0000-0000-0000-000000000000"
    for minor, bus in enumerate(("31", "4b", "b1", "ca"))
}
"""PCI address → UUID, in the order of nvidia-smi; minor numbers are in that order, too."""

_PLAIN: Final = (
    "This LXD has no simulated NVIDIA GPUs, and these tests need four. "
    "ci/test starts one that has them; by hand it is:\n"
    "  export LXD_DIR=/var/lib/lxd-labtest\n"
    f"  ci/sandbox start --gpus {len(GPUS)} --driver {VERSION} && invoke host.setup"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuHost:
    """What an admin could do to it, and what its kernel says."""

    environ: Mapping[str, str] = field(default_factory=dict)
    """Where its LXD is, if not where ours is: LXD_DIR."""

    def insist(self) -> None:
        """Fail, with what to do, where LXD has not the four GPUs at VERSION."""
        gpus = simulated_gpus(self._environment)
        assert gpus, _PLAIN
        assert [gpu["pci_address"] for gpu in gpus] == list(GPUS)
        assert self.driver_version() == VERSION

    def driver_version(self) -> str:
        """That of the host's kernel module, as LXD sees it."""
        versions = {gpu["driver_version"] for gpu in simulated_gpus(self._environment)}
        (version,) = versions
        return str(version)

    def driver(self, version: str) -> None:
        """Upgrade the host to VERSION and reboot it; containers that ran run again."""
        self._sandbox("driver", version)
        self._has_its_bridges()

    def at(self, version: str) -> None:
        """The same, unless it is there."""
        if self.driver_version() != version:
            self.driver(version)

    def reboot(self, *, uvm: bool = True) -> None:
        """Without UVM as after a power cut: /dev/nvidia-uvm is made by whoever needs it first."""
        self._sandbox("reboot", *([] if uvm else ["--no-uvm"]))
        self._has_its_bridges()

    def nodes(self, what: Literal["lose", "make"]) -> None:
        """/dev/nvidia-uvm and -tools of the host; running containers stay as they are."""
        self._sandbox("nodes", what)

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """A command on that host, where /proc/driver/nvidia and the nodes are to be seen."""
        return self._sandbox("shell", "--", *argv, check=False)

    def _has_its_bridges(self) -> None:
        """LXD may take away another bridge while it sets one up: the names decide."""
        for network in _query("/1.0/networks?recursion=1", self._environment):
            if network["managed"] and network["type"] == "bridge":
                assert Path("/sys/class/net", network["name"]).exists(), network["name"]

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self.environ}

    def _sandbox(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return sandbox(self._environment, *arguments, check=check)


@contextmanager
def back_afterwards() -> Iterator[GpuHost]:
    """The simulated host that LXD runs on, as it was started, and so again in the end."""
    host = GpuHost()
    host.insist()
    yield host
    host.at(VERSION)
    host.nodes("make")


def simulated_gpus(environ: Mapping[str, str] | None = None) -> list[Mapping[str, str]]:
    """NVIDIA's GPUs as LXD sees them; none where it has real ones or none."""
    root = root_seen_by(_daemon(environ))
    if not list((root / "dev").glob("nvidia-simulated-*")):
        return []
    return [gpu for gpu in graphics_cards(root) if gpu.get("driver") == "nvidia"]


def kill_and_start_lxd() -> None:
    """A crash of the daemon, and its next start on the same host; containers live on."""
    gpus = simulated_gpus()
    pid = _daemon(None)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    same = ["--gpus", str(len(gpus)), "--driver", gpus[0]["driver_version"]] if gpus else []
    command = [str(SANDBOX), "start", *same]
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=120)


def where_lxd_is(environ: Mapping[str, str], directory: Path) -> Sequence[str]:
    """What a command needs in front to run, in DIRECTORY, on the host that LXD sees."""
    pid = _daemon(environ)
    if pid is None or _mounts(str(pid)) == _mounts("self"):
        return ()
    programs = Path(environ.get("LXD_DIR", "/var/lib/lxd"), "gpu-host", "bin")
    path = f"PATH={programs}:{environ.get('PATH', os.defpath)}"
    return ("nsenter", f"--mount=/proc/{pid}/ns/mnt", "--", "env", "-C", str(directory), path)


def _mounts(process: str) -> Path:
    return Path(f"/proc/{process}/ns/mnt").readlink()


def _daemon(environ: Mapping[str, str] | None) -> int | None:
    """Its PID; None where none answers, or LXD is not installed."""
    try:
        return int(_query("/1.0", environ)["environment"]["server_pid"])
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None


def _query(path: str, environ: Mapping[str, str] | None) -> Any:
    done = subprocess.run(
        ["lxc", "-q", "query", f"local:{path}"],
        env=environ,
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    return json.loads(done.stdout)
