"""What isolation writes and says: its marks, and several failures at once."""

from __future__ import annotations

from dataclasses import replace

from lab.errors import InputError, LabError, LxdError
from lab.lxd.idmap import IdRange
from provision.ids.marker import MoveMarker, Stage, read_mark
from provision.isolation.isolate import Outcome, failure

OWN = IdRange(1_065_536, 65_536)


def test_marks_are_read_as_they_were_written() -> None:
    mark = MoveMarker(
        builder="lab1 1 1", range=OWN, snapshot="s", stage=Stage.MOVED, asleep=True, autostart="x"
    )
    assert read_mark(str(mark)) == mark
    assert replace(mark, stage=Stage.BEFORE) == mark.at(Stage.BEFORE)
    for text in (None, "", "{}", "[]", "no", '{"ids": "x"}', '{"ids": "1:1"}'):
        assert read_mark(text) is None


def test_several_failures_are_told_together() -> None:
    told: list[tuple[str, LabError]] = [("ann", LxdError("No.")), ("bob", InputError("Why."))]
    failed = failure(Outcome(failed=tuple(told)))
    assert str(failed) == (
        "2 containers could not be moved to ids of their own.\n"
        "  ann: No.\n"
        "  bob: Why.\n"
        "Next: Correct these causes, then run: invoke isolate ann bob"
    )
