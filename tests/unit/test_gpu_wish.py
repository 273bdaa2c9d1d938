"""What may stand after --gpus."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import InputError
from lab.gpu_selection import GpuSelection, parse_selection
from lab.hardware.pci import canonical_uuid
from tests.support.builders.four_gpus import PARTS, PCI, uuid


@pytest.mark.parametrize(
    ("text", "wish", "again"),
    [
        ("all", GpuSelection(everything=True), "all"),
        (" ALL ", GpuSelection(everything=True), "all"),
        ("none", GpuSelection(), "none"),
        ("0", GpuSelection(), "none"),
        ("1", GpuSelection(count=1), "1"),
        ("04", GpuSelection(count=4), "4"),
        ("0000:b1:00.0", GpuSelection(named=("0000:b1:00.0",)), "0000:b1:00.0"),
        ("b1:00.0", GpuSelection(named=("0000:b1:00.0",)), "0000:b1:00.0"),
        ("00000000:B1:00.0", GpuSelection(named=("0000:b1:00.0",)), "0000:b1:00.0"),
        ("idx:3", GpuSelection(named=("idx:3",)), "idx:3"),
        ("IDX:03, idx:3", GpuSelection(named=("idx:3",)), "idx:3"),
        (uuid(2).lower(), GpuSelection(named=(uuid(2),)), uuid(2)),
        (PARTS[0].upper(), GpuSelection(named=(PARTS[0],)), PARTS[0]),
        (f"{PCI[0]} , idx:1", GpuSelection(named=(PCI[0], "idx:1")), f"{PCI[0]},idx:1"),
    ],
)
def test_a_wish(text: str, wish: GpuSelection, again: str) -> None:
    assert parse_selection(text) == wish
    assert str(wish) == again
    assert parse_selection(again) == wish


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("  ", "it is empty"),
        ("idx:1,", "an entry is empty"),
        ("1,,", "an entry is empty"),
        ("two", '"two" is neither a PCI address nor a UUID nor idx:N'),
        ("-1", '"-1" is neither a PCI address nor a UUID nor idx:N'),
        ("1.5", '"1.5" is neither a PCI address nor a UUID nor idx:N'),
        ("٣", '"٣" is neither a PCI address nor a UUID nor idx:N'),
        (
            "1,2",
            "a count cannot be combined with other entries; the GPU with that number is idx:1",
        ),
        (
            "idx:0,3",
            "a count cannot be combined with other entries; the GPU with that number is idx:3",
        ),
        ("idx:0,all", '"all" cannot be combined with other entries'),
        ("none,idx:0", '"none" cannot be combined with other entries'),
        ("GPU-5d5ba0d6", '"GPU-5d5ba0d6" is neither a PCI address nor a UUID nor idx:N'),
        ("idx:", '"idx:" is neither a PCI address nor a UUID nor idx:N'),
        ("0000:b1:00.8", '"0000:b1:00.8" is neither a PCI address nor a UUID nor idx:N'),
    ],
)
def test_what_is_no_wish(text: str, why: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_selection(text)
    assert caught.value.brief == f'Invalid --gpus "{text}": {why}.'
    assert "idx:0,idx:3" in (caught.value.fix or "")


@given(st.text(max_size=40))
def test_any_text_is_a_wish_or_an_error_of_the_user(text: str) -> None:
    try:
        wish = parse_selection(text)
    except InputError:
        return
    assert parse_selection(str(wish)) == wish


def test_a_uuid_that_the_driver_does_not_know_yet_is_none() -> None:
    assert canonical_uuid("GPU-????????-????-????-????-????????????") is None
    assert canonical_uuid("") is None
