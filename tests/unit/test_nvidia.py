"""What the module and the tools of this machine tell of GPUs."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.hardware.nvidia import Known, known_gpus, parts_of_gpus
from tests.support.builders.four_gpus import PARTS, PCI, uuid

INFORMATION = """\
Model: \t\t NVIDIA GeForce RTX 4090
IRQ:   \t\t 90
GPU UUID: \t {uuid}
Video BIOS: \t 95.02.3c.00.8c
Bus Location: \t 0000:b1:00.0
Device Minor: \t 2
"""
H100 = """\
Model: \t\t NVIDIA H100 80GB HBM3
IRQ:   \t\t 41
GPU UUID: \t {uuid}
Video BIOS: \t 96.00.da.00.0c
Bus Type: \t PCIe
DMA Size: \t 52 bits
DMA Mask: \t 0xfffffffffffff
Bus Location: \t 0000:00:06.0
Device Minor: \t 0
GPU Firmware: \t 580.159.04
GPU Excluded:\t No
"""
LISTED = f"""\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: {uuid(0)})
GPU 1: NVIDIA A100-SXM4-40GB (UUID: {uuid(1)})
  MIG 3g.20gb     Device  0: (UUID: {PARTS[0]})
  MIG 2g.10gb     Device  1: (UUID: {PARTS[1]})
GPU 2: NVIDIA A100-SXM4-40GB (UUID: {uuid(2)})
  MIG 7g.40gb     Device  0: (UUID: {PARTS[2]})
"""


def proc_with(root: Path, pci: str, text: str) -> Path:
    (root / "gpus" / pci).mkdir(parents=True)
    (root / "gpus" / pci / "information").write_text(text)
    return root


def test_a_host_without_the_module_knows_no_gpu(tmp_path: Path) -> None:
    assert known_gpus(tmp_path / "none") == {}
    assert parts_of_gpus(tmp_path / "none", lambda: pytest.fail("nobody is asked")) == {}


def test_gpus_are_known_by_address(tmp_path: Path) -> None:
    proc = proc_with(tmp_path, PCI[2], INFORMATION.format(uuid=uuid(2)))
    proc_with(tmp_path, PCI[0], "")
    proc_with(tmp_path, "strange", INFORMATION.format(uuid=uuid(0)))
    assert known_gpus(proc, lambda: "") == {
        PCI[0]: Known(),
        PCI[2]: Known(uuid=uuid(2), model="NVIDIA GeForce RTX 4090"),
    }


def test_the_file_of_a_real_h100(tmp_path: Path) -> None:
    proc = proc_with(tmp_path, "0000:00:06.0", H100.format(uuid=uuid(0)))
    assert known_gpus(proc) == {"0000:00:06.0": Known(uuid=uuid(0), model="NVIDIA H100 80GB HBM3")}


def test_gpus_that_nothing_has_used_yet_are_used_once(tmp_path: Path) -> None:
    unused = INFORMATION.format(uuid="GPU-????????-????-????-????-????????????")
    proc = proc_with(tmp_path, PCI[2], unused)
    model = "NVIDIA GeForce RTX 4090"
    assert known_gpus(proc, lambda: "") == {PCI[2]: Known(model=model)}

    def wake() -> None:
        (proc / "gpus" / PCI[2] / "information").write_text(INFORMATION.format(uuid=uuid(2)))

    assert known_gpus(proc, wake) == {PCI[2]: Known(uuid=uuid(2), model=model)}
    assert known_gpus(proc, lambda: pytest.fail("they tell by themselves")) == {
        PCI[2]: Known(uuid=uuid(2), model=model)
    }


def test_nvidia_smi_is_asked_for_parts_only_where_there_are_some(tmp_path: Path) -> None:
    proc = proc_with(tmp_path, PCI[0], "")
    (proc / "capabilities" / "gpu0" / "mig").mkdir(parents=True)
    assert parts_of_gpus(proc, lambda: pytest.fail("nobody is asked")) == {}
    (proc / "capabilities" / "gpu0" / "mig" / "gi3").mkdir()
    assert parts_of_gpus(proc, lambda: LISTED) == {uuid(1): PARTS[:2], uuid(2): PARTS[2:]}
    assert parts_of_gpus(proc, lambda: "No devices were found\n") == {}
    assert parts_of_gpus(proc, lambda: f"(UUID: {PARTS[0]})") == {}


def test_a_machine_without_nvidia_smi_tells_of_no_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "capabilities" / "gpu0" / "mig" / "gi3").mkdir(parents=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert parts_of_gpus(tmp_path) == {}
