"""Findings about the machine itself: module, libraries, nodes, boot, packages. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from host.check.facts import GpuFacts
from host.finding import Finding, Status
from lab.lxd.model import Gpu

_MISMATCH: Final = "Failed to initialize NVML: Driver/library version mismatch"


def findings(
    facts: GpuFacts, gpus: Sequence[Gpu], *, sudo: str, boot_script: str
) -> Iterator[Finding]:
    """SUDO: what stands before a command that root has to run; BOOT_SCRIPT: the boot unit's."""
    yield _module(facts, gpus, sudo)
    if facts.module is not None:
        yield _libraries(facts, sudo)
        yield _nodes(facts, sudo, boot_script)
    yield _boot_unit(facts, sudo, boot_script)
    yield _packages(facts, sudo)
    yield _hook(facts, sudo)


def _module(facts: GpuFacts, gpus: Sequence[Gpu], sudo: str) -> Finding:
    name = "driver-module"
    if facts.module is not None:
        return Finding(name=name, found=f"{facts.module} is loaded")
    if facts.module_on_disk is not None:
        fix = f"{sudo}modprobe nvidia"
        found = f"not loaded, though {facts.module_on_disk} is installed"
    else:
        fix = f"{sudo}apt-get install linux-headers-$(uname -r) && {sudo}dkms autoinstall"
        found = "the running kernel has no NVIDIA module; a new kernel was installed without it"
    return Finding(
        name=name,
        status=Status.FAIL,
        found=found,
        why=f"None of the {len(gpus)} GPUs works, on the host or in a container.",
        fix=f"{fix} && {sudo}modprobe nvidia" if facts.module_on_disk is None else fix,
    )


def _libraries(facts: GpuFacts, sudo: str) -> Finding:
    name = "driver-libraries"
    odd = [version for version in facts.libraries if version != facts.module]
    if not facts.libraries:
        return Finding(name=name, found="the host has none; containers have their own")
    if not odd:
        return Finding(name=name, found=f"{facts.module}, the same as the kernel module")
    reboot = f"{sudo}reboot"
    # A module of the libraries' version lies ready: an upgrade that waits for its reboot.
    ready = facts.module_on_disk in {*odd, None}
    return Finding(
        name=name,
        status=Status.FAIL,
        found=f"the host's libraries are {', '.join(odd)}, the loaded module is {facts.module}",
        why=f'nvidia-smi and CUDA on the host say "{_MISMATCH}", and so do containers that get '
        "the host's libraries. An upgrade replaced the libraries; the module stays until a reboot.",
        fix=reboot if ready else f"{sudo}dkms autoinstall && {reboot}",
    )


def _nodes(facts: GpuFacts, sudo: str, boot_script: str) -> Finding:
    name = "gpu-nodes"
    wanted = [*(f"nvidia{minor}" for minor in facts.minors), "nvidiactl", "nvidia-uvm"]
    lost = [f"/dev/{node}" for node in wanted if node not in facts.nodes]
    if not lost:
        return Finding(
            name=name, found="/dev/nvidia-uvm, /dev/nvidiactl and the node of each GPU exist"
        )
    return Finding(
        name=name,
        status=Status.FAIL,
        found=f"missing: {', '.join(lost)}",
        why="Containers get what is in /dev when they start: those that start now have no CUDA "
        '("CUDA unknown error", torch.cuda.is_available() is False).',
        fix=f"{sudo}{boot_script}",
    )


def _boot_unit(facts: GpuFacts, sudo: str, boot_script: str) -> Finding:
    name = "gpu-boot-unit"
    why = (
        "After the next reboot or power cut /dev/nvidia-uvm is missing until a CUDA program runs "
        "on the host, and containers that started before it have no CUDA."
    )
    if not facts.boot_unit:
        found = "incomplete, or not enabled" if facts.boot_unit_touched else "not installed"
        fix = f"{_invoke(sudo)} host.install-gpu-unit"
        return Finding(name=name, status=Status.WARN, found=found, why=why, fix=fix)
    if not facts.systemd:
        return Finding(
            name=name,
            status=Status.WARN,
            found="installed, but this machine was not booted with systemd, so nothing starts it",
            why=why,
            fix=f"{sudo}{boot_script}",
        )
    return Finding(name=name, found="installed and enabled, before LXD")


def _packages(facts: GpuFacts, sudo: str) -> Finding:
    name = "driver-packages"
    packages = facts.packages
    if not packages.installed:
        return Finding(name=name, found="no package of the driver is installed by apt")
    if packages.at_risk:
        first, *rest = packages.at_risk
        more = f" and {len(rest)} more" if rest else ""
        return Finding(
            name=name,
            status=Status.WARN,
            found=f"unattended upgrades may replace {first}{more}",
            why="They replace the libraries at night, but the kernel module stays until a reboot: "
            f'"{_MISMATCH}", though nobody ran apt.',
            fix=f"{_invoke(sudo)} host.install-driver-hook",
        )
    if not packages.unattended:
        return Finding(name=name, found="unattended-upgrades is not installed")
    return Finding(name=name, found=f"{len(packages.installed)} held against unattended upgrades")


def _hook(facts: GpuFacts, sudo: str) -> Finding:
    name = "driver-hook"
    if not facts.hook:
        return Finding(
            name=name,
            found="not installed: after a driver update run invoke host.after-driver-update",
        )
    if facts.hook_fault is not None:
        return Finding(
            name=name,
            status=Status.FAIL,
            found=f"root runs the hook at boot, and {facts.hook_fault}",
            why="That account could run programs as root at the next boot.",
            fix=f"{_invoke(sudo)} host.remove-driver-hook",
        )
    if facts.hook_able:
        return Finding(name=name, found="installed: it updates images and containers at boot")
    return Finding(
        name=name,
        status=Status.WARN,
        found="installed, but the program that it runs no longer exists",
        why="After a driver update, nothing would update images and containers.",
        fix=f"{_invoke(sudo)} host.install-driver-hook",
    )


def _invoke(sudo: str) -> str:
    # sudo's own PATH knows nothing of an environment that is activated.
    return f"{sudo}.venv/bin/invoke" if sudo else "invoke"
