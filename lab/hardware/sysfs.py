"""The graphics cards of a machine, as its kernel shows them
(https://docs.kernel.org/PCI/sysfs-pci.html), in the words of LXD's GET /1.0/resources.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

_DISPLAY: Final = "0x03"
"""How the class of graphics cards begins: https://admin.pci-ids.ucw.cz/read/PD/03"""
_PRODUCT: Final = "E:ID_MODEL_FROM_DATABASE="


def graphics_cards(root: Path = Path("/")) -> tuple[Mapping[str, str], ...]:
    """Graphics cards of the machine whose files are below ROOT, without unknown fields."""
    found = sorted((root / "sys/bus/pci/devices").glob("*"))
    return tuple(_gpu(root, place) for place in found if _is_gpu(place))


def root_seen_by(pid: int | None) -> Path:
    """The root directory of process PID's file system; this one's if it is not available.

    A snap and ci/sandbox have one of their own. Only root may look into it.
    """
    theirs = Path(f"/proc/{pid}/root")
    try:
        return theirs if pid and (theirs / "sys/bus").is_dir() else Path("/")
    except OSError:
        return Path("/")


def _is_gpu(place: Path) -> bool:
    # What has a `physfn` is a slice of a GPU, for virtual machines.
    is_slice = (place / "physfn").exists()
    return (_text(place / "class") or "").startswith(_DISPLAY) and not is_slice


def _gpu(root: Path, place: Path) -> Mapping[str, str]:
    told = {
        "pci_address": place.name,
        "vendor_id": (_text(place / "vendor") or "").removeprefix("0x"),
        "product_id": (_text(place / "device") or "").removeprefix("0x"),
        "product": _product(root / "run/udev/data" / f"+pci:{place.name}"),
        "driver": _driver(place / "driver"),
        "driver_version": _text(place / "driver/module/version"),
    }
    return {key: value for key, value in told.items() if value}


def _driver(link: Path) -> str | None:
    with suppress(OSError):
        return link.readlink().name
    return None


def _product(record: Path) -> str | None:
    """What udev found in its database of hardware."""
    lines = (_text(record) or "").splitlines()
    named = (line.removeprefix(_PRODUCT) for line in lines if line.startswith(_PRODUCT))
    return next(named, None)


def _text(file: Path) -> str | None:
    with suppress(OSError):
        return file.read_text(encoding="utf-8", errors="replace").strip()
    return None
