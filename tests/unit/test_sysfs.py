"""Graphics cards in sysfs, as the kernel lays them out."""

from __future__ import annotations

import os
from pathlib import Path

from lab.hardware.sysfs import graphics_cards, root_seen_by
from tests.support.builders.four_gpus import PCI


def device(root: Path, address: str, klass: str, driver: str | None = None, **files: str) -> Path:
    place = root / "sys/devices/pci0000:00" / address
    place.mkdir(parents=True)
    told = {"class": klass, "vendor": "0x10de", "device": "0x2684", **files}
    for name, text in told.items():
        (place / name).write_text(f"{text}\n")
    if driver is not None:
        module = root / "sys/bus/pci/drivers" / driver / "module"
        module.mkdir(parents=True, exist_ok=True)
        (place / "driver").symlink_to(f"../../../bus/pci/drivers/{driver}")
    listed = root / "sys/bus/pci/devices"
    listed.mkdir(parents=True, exist_ok=True)
    (listed / address).symlink_to(f"../../../devices/pci0000:00/{address}")
    return place


def test_a_machine_without_pci_has_none(tmp_path: Path) -> None:
    assert graphics_cards(tmp_path) == ()


def test_gpus_are_told_with_their_driver(tmp_path: Path) -> None:
    device(tmp_path, PCI[0], "0x030000", "nvidia")
    device(tmp_path, PCI[1], "0x030200", "nouveau")
    device(tmp_path, PCI[2], "0x030000")
    device(tmp_path, "0000:01:00.0", "0x020000", "e1000")
    (tmp_path / "sys/bus/pci/drivers/nvidia/module/version").write_text("535.261.03\n")
    records = tmp_path / "run/udev/data"
    records.mkdir(parents=True)
    (records / f"+pci:{PCI[2]}").write_text("I:1\nE:ID_MODEL_FROM_DATABASE=AD102 [RTX 4090]\n")
    told = {"vendor_id": "10de", "product_id": "2684"}
    assert graphics_cards(tmp_path) == (
        {**told, "pci_address": PCI[0], "driver": "nvidia", "driver_version": "535.261.03"},
        {**told, "pci_address": PCI[1], "driver": "nouveau"},
        {**told, "pci_address": PCI[2], "product": "AD102 [RTX 4090]"},
    )


def test_slices_for_virtual_machines_are_no_gpus(tmp_path: Path) -> None:
    gpu = device(tmp_path, PCI[0], "0x030200", "nvidia")
    device(tmp_path, "0000:31:00.4", "0x030200", "nvidia")
    (tmp_path / "sys/bus/pci/devices/0000:31:00.4/physfn").symlink_to(gpu)
    assert [one["pci_address"] for one in graphics_cards(tmp_path)] == [PCI[0]]


def test_what_a_process_sees_or_else_this_machine() -> None:
    assert root_seen_by(os.getpid()) == Path(f"/proc/{os.getpid()}/root")
    gone = 2**22 + 1  # beyond what a kernel numbers: include/linux/threads.h
    assert root_seen_by(gone) == Path("/")
    assert root_seen_by(None) == Path("/")
