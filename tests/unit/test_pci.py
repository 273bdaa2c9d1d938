"""PCI addresses in one spelling."""

from __future__ import annotations

import pytest

from lab.hardware.pci import by_address, pci_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0000:b1:00.0", "0000:b1:00.0"),
        ("B1:00.0", "0000:b1:00.0"),
        ("00000000:B1:00.0", "0000:b1:00.0"),
        ("00000001:00:00.0", "0001:00:00.0"),
        ("10000:01:00.0", "10000:01:00.0"),
        (" 0000:b1:1f.7\n", "0000:b1:1f.7"),
        ("0000:b1:00", None),
        ("0000:b1:00.8", None),
        ("0000:g1:00.0", None),
        ("1", None),
        ("", None),
    ],
)
def test_an_address(text: str, address: str | None) -> None:
    assert pci_address(text) == address


def test_addresses_are_sorted_as_numbers() -> None:
    addresses = ["10000:01:00.0", "0001:00:00.0", "0000:ca:00.0", "0000:31:00.0"]
    assert sorted(addresses, key=by_address) == addresses[::-1]
