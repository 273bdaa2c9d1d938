"""`invoke list --watch`: a table that is drawn again and again."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator

import pytest
from rich.console import Console

from lab import console
from lab.errors import InputError, LxdUnreachable
from tests.unit.test_console import Tty

COLUMNS = ("name", "memory")


def drawn(looks: Iterator[list[tuple[str, str]]], *, times: int, height: int = 12) -> str:
    """All that was written to a terminal of HEIGHT lines, until the look after TIMES."""
    pauses = iter(range(times))

    def pause(_seconds: float) -> None:
        if next(pauses, None) is None:
            raise KeyboardInterrupt

    written = io.StringIO()
    terminal = Console(
        file=written, force_terminal=True, width=60, height=height, color_system=None
    )
    console.watch_table(
        COLUMNS, lambda: next(looks), empty="No containers yet.", pause=pause, console=terminal
    )
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.getvalue())


def test_it_is_drawn_again_until_it_is_ended() -> None:
    said = drawn(iter([[("ann", "1/4 GiB")], [("ann", "2/4 GiB")], []]), times=2)
    assert said.index("1/4 GiB") < said.index("2/4 GiB") < said.index("No containers yet.")
    assert "Ctrl-C ends this" in said


def test_what_has_no_room_is_counted() -> None:
    rows = [(f"user{number:03}", "1/4 GiB") for number in range(200)]
    said = drawn(iter([rows]), times=0, height=25)
    assert ("user018" in said, "user019" in said) == (True, False)
    assert "and 181 more: a higher window shows them" in said


def test_a_narrow_terminal_cuts_no_name() -> None:
    rows = [("a-student-of-2026", "1/4 GiB" * 9)]
    assert "a-student-of-2026" in drawn(iter([rows]), times=0)


def test_an_error_ends_it() -> None:
    def fails() -> Iterator[list[tuple[str, str]]]:
        yield []
        raise LxdUnreachable("LXD is not running.")

    with pytest.raises(LxdUnreachable):
        drawn(fails(), times=5)


@pytest.mark.parametrize(("stream", "term"), [(io.StringIO, "xterm"), (Tty, "dumb")])
def test_without_a_terminal_it_is_refused(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], term: str
) -> None:
    monkeypatch.setattr(sys, "stdout", stream())
    monkeypatch.setenv("TERM", term)
    with pytest.raises(InputError, match="--watch draws on a terminal"):
        console.refuse_without_terminal()
