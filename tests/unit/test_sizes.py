"""Sizes are LXD's, and what people write in their place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import InputError
from lab.sizes import as_limit, as_written, format_size, parse_size, reading


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
        ("50G", 50 * 1024**3),
        ("16g", 16 * 1024**3),
        ("512m", 512 * 1024**2),
        ("64k", 64 * 1024),
        ("2T", 2 * 1024**4),
        ("0.5TiB", 512 * 1024**3),
        ("1.5G", 3 * 1024**3 // 2),
        ("16gib", 16 * 1024**3),
        ("16GIB", 16 * 1024**3),
        ("50 GB", 50 * 1000**3),
        ("50gb", 50 * 1000**3),
        ("1.5GB", 1_500_000_000),
        ("3KB", 3000),
        (" 16 GiB ", 16 * 1024**3),
        ("0.1G", 107_374_182),
    ],
)
def test_sizes_are_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,5G", '"1,5G" is not a size.\nNext: Write a number and its unit: 1.5GiB.'),
        ("16  GiB", '"16  GiB" is not a size.\nNext: Write a number and its unit: 16GiB.'),
        ("20Gigs", '"20Gigs" is not a size.\nNext: Write a number and its unit: 20GiB.'),
        ("１６GiB", '"１６GiB" is not a size.\nNext: Write a number and its unit: 16GiB.'),
        (
            "-1GiB",
            '"-1GiB" is not a size.\nNext: Write a number and its unit: 500MB, 16GiB, 1TiB.',
        ),
        ("", '"" is not a size.\nNext: Write a number and its unit: 500MB, 16GiB, 1TiB.'),
        ("half", '"half" is not a size.\nNext: Write a number and its unit: 500MB, 16GiB, 1TiB.'),
        ("0.1", '"0.1" cannot be used as a size.\n  A size must be greater than 0.'),
        ("0GiB", '"0GiB" cannot be used as a size.\n  A size must be greater than 0.'),
        ("9999PiB", '"9999PiB" cannot be used as a size.\n  A size must be at most 8191 PiB.'),
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


@pytest.mark.parametrize(
    ("text", "said", "kept"),
    [
        ("16GiB", None, "16GiB"),
        ("4096", None, "4096"),
        ("50G", "50GiB", "50GiB"),
        ("16g", "16GiB", "16GiB"),
        ("0.5TiB", "512GiB", "512GiB"),
        ("1.5G", "1536MiB", "1536MiB"),
        # Of 1000s: LXD reads it, and people may have meant another thing.
        ("50GB", "46.6 GiB", "50GB"),
        ("50 GB", "46.6 GiB", "50 GB"),
        ("50gb", "46.6 GiB", "48828125KiB"),
    ],
)
def test_what_a_size_was_taken_for_is_said(text: str, said: str | None, kept: str) -> None:
    assert reading(text) == said
    assert as_written(text) == kept
    assert parse_size(as_written(text)) == parse_size(text)


@given(st.integers(1, 2**62))
def test_limits_are_exact(size: int) -> None:
    assert parse_size(as_limit(size)) == size
