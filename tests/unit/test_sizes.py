"""Sizes are LXD's: whole numbers with a unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import InputError
from lab.sizes import format_size, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("16GiB", 16 * 1024**3),
        ("500MB", 500_000_000),
        ("1TiB", 1024**4),
        ("3kB", 3000),
        ("1 GiB", 1024**3),
        ("4096", 4096),
        ("7B", 7),
    ],
)
def test_sizes_are_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("16G", '"16G" is not a size.\nNext: Write a whole number and its unit: 16GiB.'),
        ("16gb", '"16gb" is not a size.\nNext: Write a whole number and its unit: 16GiB.'),
        (
            "1.5GiB",
            '"1.5GiB" is not a size.\nNext: Write a whole number and its unit: 500MB, 16GiB, 1TiB.',
        ),
        (
            "-1GiB",
            '"-1GiB" is not a size.\nNext: Write a whole number and its unit: 500MB, 16GiB, 1TiB.',
        ),
        ("", '"" is not a size.\nNext: Write a whole number and its unit: 500MB, 16GiB, 1TiB.'),
        (
            "１６GiB",
            '"１６GiB" is not a size.\n'
            "Next: Write a whole number and its unit: 500MB, 16GiB, 1TiB.",
        ),
        ("0GiB", '"0GiB" is an impossible size.\n  It is nothing.'),
        ("9999PiB", '"9999PiB" is an impossible size.\n  The most is 8191 PiB.'),
    ],
)
def test_what_is_no_size_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_size(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (13207024435, "12.3 GiB"),
        (1024**3 - 1, "1.0 GiB"),
        (5000 * 1024**5, "5000.0 PiB"),
    ],
)
def test_sizes_are_shown_short(size: int, text: str) -> None:
    assert format_size(size) == text


@given(st.integers(1, 8000), st.sampled_from(["KiB", "MiB", "GiB", "TiB"]))
def test_written_sizes_are_read_back(number: int, unit: str) -> None:
    power = ["B", "KiB", "MiB", "GiB", "TiB"].index(unit)
    assert parse_size(f"{number}{unit}") == number * 1024**power
