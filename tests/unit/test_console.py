"""Whatever is printed: no kind of output lets text of others reach the terminal as it is."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable

import pytest

from lab import console
from lab.errors import LxdError
from lab.report import Report

EVIL = "a\x1b[2J\x9b31m\u202e\r\x07\u2028z\n" + "long" * 2000


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def _report(report: console.Plain | console.Terminal) -> None:
    with report as told:
        work: Report = told
        work.phase(EVIL, EVIL)
        work.detail(EVIL, EVIL)
        work.done(EVIL, EVIL)
        work.phase("b", EVIL)
        work.failed("b", EVIL)
        work.say(EVIL)


def _end(_seconds: float) -> None:
    raise KeyboardInterrupt


OUTPUTS: dict[str, Callable[[], None]] = {
    "text": lambda: console.print_text(EVIL),
    "note": lambda: console.print_note(EVIL),
    "error": lambda: console.print_error(LxdError(EVIL, details=EVIL, fix=EVIL)),
    "table": lambda: console.print_table("t", ("a", "b"), [(EVIL, EVIL)], empty=""),
    "card": lambda: console.print_summary(EVIL, [("a", EVIL)], [EVIL]),
    "watch": lambda: console.watch_table(("a",), lambda: [(EVIL,)], empty="", pause=_end),
    "plain": lambda: _report(console.Plain()),
    "terminal": lambda: _report(console.Terminal()),
    "question": lambda: print(console.ask(EVIL)),  # noqa: T201
    "json": lambda: console.print_json({EVIL: [EVIL]}),
}


@pytest.mark.parametrize("stream", [Tty, io.StringIO])
@pytest.mark.parametrize("output", OUTPUTS)
def test_nothing_of_it_is_obeyed(
    stream: type[io.StringIO], output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = stream()
    for name in ("stdout", "stderr", "stdin"):
        monkeypatch.setattr(sys, name, written)
    monkeypatch.setenv("TERM", "xterm-256color")
    OUTPUTS[output]()
    monkeypatch.undo()
    said = written.getvalue()
    # Where nobody can be asked, nothing is; and only a terminal is drawn on.
    if output != "question" and (output, stream) != ("watch", io.StringIO):
        assert r"\u202e" in said
    for evil in ("\x1b[2J\x9b", "\x9b", "\u202e", "\x07", "\u2028"):
        assert evil not in said
    if output != "json":
        assert "long" * 1100 not in said


def test_no_line_of_a_text_looks_like_one_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    console.Plain().say("it said:\n12:00:00 alice: has driver 1")
    assert capsys.readouterr().err.split("\n")[1] == "         12:00:00 alice: has driver 1"


def test_a_document_says_what_it_said(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_json({"name": EVIL})
    assert json.loads(capsys.readouterr().out) == {"name": EVIL}
