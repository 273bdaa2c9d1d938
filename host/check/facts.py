"""What the machine itself says of its GPUs: module, libraries, device nodes, boot, packages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from host.machine import Machine
from host.units import driver_hook, gpu_boot
from host.units.packages import Packages, read_packages
from lab.driver.version import module_version
from lab.hardware.nvidia import DRIVER_VERSION

_LIBRARY: Final = re.compile(rf"libnvidia-ml\.so\.({DRIVER_VERSION})")
_LIBRARY_DIRECTORIES: Final = ("usr/lib/*-linux-gnu", "usr/lib64", "usr/lib")
_MINOR: Final = re.compile(r"^Device Minor:\s*(\d+)", re.MULTILINE)
_DRM_CARD: Final = re.compile(r"card(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuFacts:
    module: str | None = None
    """Version of the kernel module that is loaded."""
    module_on_disk: str | None = None
    """Version of the one that the running kernel would load now."""
    libraries: tuple[str, ...] = ()
    """Versions of libnvidia-ml that programs of the host get."""
    minors: tuple[int, ...] = ()
    """Of the GPUs' nodes, /dev/nvidia0 …, as the module tells."""
    nodes: frozenset[str] = frozenset()
    """What /dev holds of NVIDIA's."""
    systemd: bool = True
    boot_unit: bool = False
    """Whether the GPU boot unit is there, whole and enabled."""
    boot_unit_touched: bool = False
    """Whether a part of it is there, or an older one."""
    hook: bool = False
    """Whether the driver hook is there and enabled."""
    hook_able: bool = False
    """Whether what it runs is there, too."""
    hook_fault: str | None = None
    """Why another account than root may change what it runs."""
    packages: Packages = field(default_factory=Packages)
    drm: Mapping[str, str] = field(default_factory=dict)
    """What LXD calls `id` of a gpu device → PCI address."""


def read_gpu_facts(machine: Machine) -> GpuFacts:
    return GpuFacts(
        module=module_version(machine.at("/proc/driver/nvidia/version")),
        module_on_disk=_on_disk(machine),
        libraries=_libraries(machine),
        minors=_minors(machine),
        nodes=frozenset(name for name in machine.names("/dev") if name.startswith("nvidia")),
        systemd=machine.systemd_runs,
        boot_unit=gpu_boot.is_installed(machine),
        boot_unit_touched=gpu_boot.is_touched(machine),
        hook=driver_hook.is_installed(machine),
        hook_able=driver_hook.is_able(machine),
        hook_fault=str(fault) if (fault := driver_hook.fault(machine)) else None,
        packages=read_packages(machine),
        drm=_drm(machine),
    )


def _on_disk(machine: Machine) -> str | None:
    told = machine.run(["modinfo", "--field", "version", "nvidia"])
    return told.stdout.strip() or None if told.exit_code == 0 else None


def _libraries(machine: Machine) -> tuple[str, ...]:
    found = set()
    for pattern in _LIBRARY_DIRECTORIES:
        for link in machine.root.glob(f"{pattern}/libnvidia-ml.so.1"):
            # Debian leads it through /etc/alternatives to a directory of its own.
            named = _LIBRARY.fullmatch(link.resolve().name)
            if named:
                found.add(named[1])
    return tuple(sorted(found))


def _minors(machine: Machine) -> tuple[int, ...]:
    gpus = "/proc/driver/nvidia/gpus"
    texts = (machine.text(f"{gpus}/{gpu}/information") or "" for gpu in machine.names(gpus))
    return tuple(sorted(int(found[1]) for text in texts if (found := _MINOR.search(text))))


def _drm(machine: Machine) -> Mapping[str, str]:
    found = {}
    for name in machine.names("/sys/class/drm"):
        numbered = _DRM_CARD.fullmatch(name)
        if numbered:
            found[numbered[1]] = (machine.at("/sys/class/drm") / name / "device").resolve().name
    return found
