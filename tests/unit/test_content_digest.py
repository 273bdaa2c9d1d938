"""What a file holds has one digest, however it is stored and read."""

from __future__ import annotations

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.machine.content_digest import BLOCK, ContentDigest

BLOCKS = st.lists(
    st.sampled_from([bytes(BLOCK), b"x" * BLOCK, b"y" + bytes(BLOCK - 1)]), max_size=8
)


def read_whole(content: bytes, piece: int) -> str:
    digest = ContentDigest()
    for start in range(0, len(content), piece):
        digest.feed(start, content[start : start + piece])
    return digest.finish(len(content))


def read_stored(content: bytes, grain: int) -> str:
    """Only the parts of GRAIN bytes that hold something."""
    digest = ContentDigest()
    for start in range(0, len(content), grain):
        part = content[start : start + grain]
        if part.strip(b"\0"):
            digest.feed(start, part)
    return digest.finish(len(content))


@given(BLOCKS, st.binary(max_size=5), st.sampled_from([7, 512, BLOCK, 3 * BLOCK]))
@settings(max_examples=150, deadline=None)
def test_holes_and_zeros_are_the_same(blocks: list[bytes], tail: bytes, size: int) -> None:
    content = b"".join(blocks) + tail
    told = {read_whole(content, size), read_whole(content, 1 << 20)}
    told |= {read_stored(content, grain) for grain in (512, BLOCK)}
    assert len(told) == 1


def test_without_holes_it_is_the_sha256() -> None:
    for content in (b"", b"years", b"x" * (3 * BLOCK + 1)):
        assert read_whole(content, 100) == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_other_contents_have_other_digests() -> None:
    hole, full = bytes(BLOCK), b"x" * BLOCK
    contents = [hole, hole * 2, full, full + hole, hole + full, hole + full + hole, full + b"\0"]
    assert len({read_whole(one, BLOCK) for one in contents}) == len(contents)


def test_an_endless_file_that_holds_nothing_takes_no_time() -> None:
    digest = ContentDigest()
    digest.feed(1 << 62, b"end")
    assert digest.finish((1 << 62) + 3).startswith("holes:")
