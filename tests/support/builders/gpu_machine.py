"""A host with four GPUs on which all is well, and instances that have some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from host.check.check import check
from host.check.drift import Versions
from host.finding import Finding, Status
from host.machine import Machine
from host.units import gpu_boot
from lab import labels
from lab.lxd.model import Completed, Gpu
from lab.settings.settings import Settings
from tests.support.builders.machines import Apt, give_network, machine_in, write
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeFile, FakeInstance

OURS = {labels.OWNER: "ann"}
GPUS = tuple(
    Gpu(
        pci=f"0000:{bus}:00.0",
        uuid=f"GPU-{number}",
        model="NVIDIA GeForce RTX 4090",
        driver="535.261.03",
    )
    for number, bus in enumerate(("31", "4b", "b1", "ca"))
)
NODES = ("nvidia0", "nvidia1", "nvidia2", "nvidia3", "nvidiactl", "nvidia-uvm")
SETTINGS = Settings()


def lxd_with_gpus() -> FakeLxd:
    lxd = FakeLxd()
    lxd.store.host_gpus = GPUS
    lxd.on_run = lambda name, argv, _stdin: _ls(lxd, name, argv)
    return lxd


def _ls(lxd: FakeLxd, name: str, argv: Sequence[str]) -> Completed:
    """`ls /dev`, in whichever project; a failure where nothing was arranged."""
    assert list(argv) == ["ls", "/dev"]
    (files,) = [one.files for (_, own), one in lxd.store.instances.items() if own == name]
    names = "".join(f"{path.removeprefix('/dev/')}\n" for path in files)
    return Completed(exit_code=0 if files else 1, stdout=names, stderr="")


def sound_machine(root: Path, apt: Apt) -> Machine:
    """Module loaded, nodes there, boot unit installed."""
    write(
        root,
        "/proc/driver/nvidia/version",
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.261.03  Thu Jul 10\n",
    )
    for number, gpu in enumerate(GPUS):
        facts = f"Model: \t\t {gpu.model}\nDevice Minor: \t {number}\n"
        write(root, f"/proc/driver/nvidia/gpus/{gpu.pci}/information", facts)
        place = root / "sys/devices" / gpu.pci
        place.mkdir(parents=True)
        drm = root / f"sys/class/drm/card{number + 1}"
        drm.mkdir(parents=True)
        (drm / "device").symlink_to(place)
    for node in NODES:
        write(root, f"/dev/{node}", "")
    give_network(root)
    machine = machine_in(root, apt)
    gpu_boot.install(machine)
    apt.ran.clear()
    return machine


def give(
    lxd: FakeLxd,
    name: str,
    devices: Mapping[str, Mapping[str, str]],
    *,
    config: Mapping[str, str] | None = None,
    dev: tuple[str, ...] = ("nvidia-uvm",),
    project: str = "default",
) -> None:
    """A running instance NAME with DEVICES, in whose /dev are the nodes DEV."""
    made = FakeInstance(
        config=dict(config or {}),
        devices={key: {"type": "gpu", **device} for key, device in devices.items()},
        files={f"/dev/{node}": FakeFile(content=b"") for node in ("null", *dev)},
    )
    lxd.store.projects.setdefault(project, {})
    lxd.store.instances[project, name] = made
    lxd.in_project(project).start(name)


def found(lxd: FakeLxd, machine: Machine, versions: Versions | None = None) -> dict[str, Finding]:
    """By name, or `name/subject`."""
    every = check(lxd, SETTINGS, versions or Versions(host="535.261.03"), machine)
    return {f"{one.name}/{one.subject}" if one.subject else one.name: one for one in every}


def problems(lxd: FakeLxd, machine: Machine, versions: Versions | None = None) -> list[Finding]:
    every = check(lxd, SETTINGS, versions or Versions(host="535.261.03"), machine)
    return [one for one in every if one.status is not Status.OK]
