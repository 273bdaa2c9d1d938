"""Several failures of one command: which exit code they have together."""

from __future__ import annotations

import pytest

from lab.errors import (
    CapacityError,
    CheckError,
    Conflict,
    InputError,
    LabError,
    LxdError,
    PoolFull,
    together,
)


def test_none_and_one_are_told_as_they_are() -> None:
    one = Conflict("Another run writes it.", fix="Wait.")
    assert together([], "Nothing failed.", fix="-") is None
    assert together([("ann", one)], "One failed.", fix="-") is one


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ((InputError("a"), InputError("b")), 2),
        ((CapacityError("a"), PoolFull("b")), 3),
        ((LxdError("a"), Conflict("b")), 4),
        ((CheckError("a"), CheckError("b")), 5),
        ((InputError("a"), CapacityError("b")), 4),
        ((PoolFull("a"), LxdError("b")), 4),
    ],
)
def test_one_kind_keeps_its_exit_code(errors: tuple[LabError, ...], code: int) -> None:
    found = together([("ann", errors[0]), ("bob", errors[1])], "2 failed.", fix="Again.")
    assert found is not None
    assert (found.exit_code, found.brief, found.fix) == (code, "2 failed.", "Again.")
    assert found.details == "ann: a\nbob: b"
