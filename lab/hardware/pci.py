"""PCI addresses (`0000:b1:00.0`) and UUIDs of GPUs, in the one spelling that labstamp uses."""

from __future__ import annotations

import re
from typing import Final

_ADDRESS: Final = re.compile(
    r"(?:(?P<domain>[0-9a-f]{4,8}):)?(?P<bus>[0-9a-f]{2}):(?P<slot>[0-9a-f]{2})\.(?P<function>[0-7])",
    re.ASCII | re.IGNORECASE,
)
# Before driver 470 parts of GPUs had names (MIG-GPU-UUID/3/0) that LXD does not take.
_UUID: Final = re.compile(
    r"(GPU|MIG)-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.ASCII | re.IGNORECASE
)


def pci_address(text: str) -> str | None:
    """TEXT in our spelling, or None when it is not an address.

    `lspci` leaves the domain out, `nvidia-smi` writes `00000000:B1:00.0`.
    """
    found = _ADDRESS.fullmatch(text.strip())
    if found is None:
        return None
    domain = (found["domain"] or "").lstrip("0").rjust(4, "0")
    return f"{domain}:{found['bus']}:{found['slot']}.{found['function']}".lower()


def by_address(address: str) -> tuple[int, ...]:
    """The sorting key: domains beyond 0000 may have five digits."""
    return tuple(int(part, 16) for part in re.split(r"[:.]", address))


def canonical_uuid(text: str) -> str | None:
    """TEXT as NVIDIA's tools spell it (`GPU-5d5b…`), or None when it is not a GPU's UUID."""
    found = _UUID.fullmatch(text)
    return f"{found[1].upper()}-{found[2].lower()}" if found else None
