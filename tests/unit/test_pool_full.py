"""What LXD says when its pool is full, as a person reads it."""

from __future__ import annotations

import pytest

from lab.errors import CapacityError, LxdError
from lab.lxd.errors import refused

HEAD = "Failed to unpack image: exit status 2 (tar: Ignoring unknown keyword"
LAST = "tar: Exiting with failure status due to previous errors)"
FIX = "Next: Free space in the storage pool (invoke prune-images) or enlarge it."


def test_one_line_of_tar_stands_for_all() -> None:
    full = [f"tar: usr/bin/{name}: Cannot write: No space left on device" for name in range(101)]
    error = refused("create bob", "\n".join([HEAD, *full[:50], "tar: odd", *full[50:], LAST]))
    assert str(error) == (
        f"LXD could not create bob.\n  {HEAD}\n"
        "  tar: usr/bin/0: Cannot write: No space left on device\n"
        f"  (100 more lines like this)\n  tar: odd\n  {LAST}\n{FIX}"
    )


@pytest.mark.parametrize(
    "text", ["no space left on device", "write /x: No space left on device\ny"]
)
def test_a_short_text_stays_as_it_is(text: str) -> None:
    told = "".join(f"  {line}\n" for line in text.splitlines())
    assert str(refused("publish bob", text)) == f"LXD could not publish bob.\n{told}{FIX}"


def test_it_is_a_refusal_of_lxd_and_ends_with_3() -> None:
    error = refused("publish bob", "no space left on device")
    assert isinstance(error, LxdError)
    assert isinstance(error, CapacityError)
    assert error.exit_code == 3
