"""Compares nvidia-smi's output in an instance with the expected GPUs and version. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from lab.hardware.pci import pci_address
from lab.lxd.model import Completed

QUERY: Final = ("nvidia-smi", "--query-gpu=pci.bus_id,driver_version", "--format=csv,noheader")


def complaint(said: Completed, pcis: Collection[str], version: str) -> str | None:
    """What is wrong with the answer to QUERY; None when it saw the GPUs PCIS at VERSION."""
    text = (said.stdout + said.stderr).strip()
    if said.exit_code != 0:
        return f"nvidia-smi failed with exit code {said.exit_code}: {text or 'no output'}"
    seen = dict(_lines(said.stdout))
    if set(seen) != set(pcis):
        return f"nvidia-smi lists {_listed(seen)}; expected {_listed(pcis)}"
    odd = sorted(set(seen.values()) - {version})
    if odd:
        return f"nvidia-smi reports driver {', '.join(odd)}; expected {version}"
    return None


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        bus_id, _, version = line.partition(",")
        address = pci_address(bus_id)
        if address is not None:
            yield address, version.strip()


def _listed(pcis: Collection[str]) -> str:
    return ", ".join(sorted(pcis)) or "none"
