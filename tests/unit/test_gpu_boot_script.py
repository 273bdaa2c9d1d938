"""host/units/gpu-boot.sh on a machine in a directory, with tools that only take notes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from host.units.gpu_boot import SCRIPT
from tests.support.builders.machines import write

MKNOD = '#!/bin/sh\necho "mknod $*" >>"$NOTES"\n: >"$3"\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two GPUs behind a board with VGA; modules are loaded, the nodes of CUDA are not there."""
    root = tmp_path / "root"
    for address, vendor, kind in (
        ("0000:03:00.0", "0x1a03", "0x030000"),
        ("0000:31:00.0", "0x10de", "0x030000"),
        ("0000:31:00.1", "0x10de", "0x040300"),
        ("0000:4b:00.0", "0x10de", "0x030200"),
    ):
        write(root, f"/sys/bus/pci/devices/{address}/vendor", f"{vendor}\n")
        write(root, f"/sys/bus/pci/devices/{address}/class", f"{kind}\n")
    for minor, address in enumerate(("0000:31:00.0", "0000:4b:00.0")):
        facts = f"Model: \t\t X\nDevice Minor: \t {minor}\n"
        write(root, f"/proc/driver/nvidia/gpus/{address}/information", facts)
    write(root, "/proc/driver/nvidia/version", "NVRM version: …\n")
    write(root, "/proc/devices", "Character devices:\n195 nvidia\n510 nvidia-uvm\n")
    write(root, "/dev/nvidia0", "")
    tools = tmp_path / "tools"
    write(tools, "mknod", MKNOD)
    write(tools, "modprobe", '#!/bin/sh\necho "modprobe: FATAL: $1" >&2\nexit 1\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)
    return root


def boot(root: Path) -> tuple[int, list[str], list[str]]:
    """Its exit code, its lines, and what it had made with mknod."""
    notes = root.parent / "notes"
    notes.write_text("")
    done = subprocess.run(
        ["bash", str(SCRIPT), str(root)],
        env={
            "PATH": f"{root.parent / 'tools'}:{os.environ['PATH']}",
            "NOTES": str(notes),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    lines = [line.removeprefix("gpu-boot: ") for line in done.stdout.splitlines()]
    return done.returncode, lines, notes.read_text().replace(str(root), "").splitlines()


def test_missing_nodes_are_made_and_the_others_left(root: Path) -> None:
    code, lines, made = boot(root)
    assert made == [
        "mknod -m 666 /dev/nvidiactl c 195 255",
        "mknod -m 666 /dev/nvidia1 c 195 1",
        "mknod -m 666 /dev/nvidia-uvm c 510 0",
        "mknod -m 666 /dev/nvidia-uvm-tools c 510 1",
    ]
    assert (code, lines[0], lines[-1]) == (0, "2 NVIDIA GPU(s)", "ready")


def test_a_second_run_makes_nothing(root: Path) -> None:
    boot(root)
    code, _, made = boot(root)
    assert (code, made) == (0, [])


def test_module_that_does_not_load_is_told_and_fails_the_unit(root: Path) -> None:
    write(root, "/proc/devices", "Character devices:\n195 nvidia\n")
    code, lines, _ = boot(root)
    assert code == 1
    assert "module nvidia-uvm does not load: modprobe: FATAL: nvidia-uvm" in lines
    assert "/dev/nvidia-uvm cannot be made: its module is not loaded" in lines
    assert lines[-1].startswith("still missing: /dev/nvidia-uvm. Containers that start now have no")


def test_machine_without_gpus_is_left_alone(root: Path) -> None:
    for vendor in root.glob("sys/bus/pci/devices/*/vendor"):
        vendor.write_text("0x8086\n")
    assert boot(root) == (0, ["no NVIDIA GPU here, nothing to do"], [])
