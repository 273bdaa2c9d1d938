"""Reads NVIDIA GPUs of this machine from the kernel module's files and NVIDIA's tools.

/proc/driver/nvidia is described in the driver's README, "The NVIDIA /proc interface".
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.hardware.pci import canonical_uuid, pci_address

PROC: Final = Path("/proc/driver/nvidia")
DRIVER_VERSION: Final = r"\d{3,}\.\d+(?:\.\d+)?"
"""How NVIDIA numbers its drivers: `535.261.03`, `570.86`."""
_DEVICE: Final = re.compile(r"\(UUID: ((?:GPU|MIG)-[^)]+)\)")
_PATIENCE: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One GPU, as far as the module tells."""

    uuid: str | None = None
    """None for a GPU that nothing has used since the boot: it reads GPU-????????-… then."""
    model: str | None = None


def known_gpus(proc: Path = PROC, wake: Callable[[], object] | None = None) -> Mapping[str, Known]:
    """By PCI address; none where the module is not loaded."""
    found = _known_gpus(proc)
    if any(gpu.uuid is None for gpu in found.values()):
        # nvidia-smi uses them all, for the first time since the boot.
        (wake or _nvidia_smi)()
        found = _known_gpus(proc)
    return found


def _known_gpus(proc: Path) -> Mapping[str, Known]:
    found = {}
    for file in sorted(proc.glob("gpus/*/information")):
        address = pci_address(file.parent.name)
        if address is not None:
            found[address] = _read(file)
    return found


def parts_of_gpus(
    proc: Path = PROC, listing: Callable[[], str] | None = None
) -> Mapping[str, tuple[str, ...]]:
    """A GPU's UUID → those of its MIG parts; the tool is asked only where there are any."""
    if not any(proc.glob("capabilities/gpu*/mig/gi*")):
        return {}
    found: dict[str, list[str]] = {}
    gpu: list[str] = []
    for text in _DEVICE.findall((listing or _nvidia_smi)()):
        uuid = canonical_uuid(text)
        if uuid is None:
            continue
        if uuid.startswith("GPU-"):
            gpu = found.setdefault(uuid, [])
        else:
            gpu.append(uuid)
    return {uuid: tuple(parts) for uuid, parts in found.items() if parts}


def _read(file: Path) -> Known:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return Known()
    facts = {
        key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)
    }
    return Known(uuid=canonical_uuid(facts.get("GPU UUID", "")), model=facts.get("Model") or None)


def _nvidia_smi() -> str:
    try:
        done = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, check=False, text=True, timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
