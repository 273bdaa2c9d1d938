"""All that labstamp prints, made printable here and nowhere else: the only importer of rich.

On a terminal one live line per subject; elsewhere (pipes, CI, NO_COLOR) plain lines with times.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from lab.errors import LabError
from lab.printable import LINES, in_line, printable, printable_json
from lab.urls import without_password

_NOTHING = frozenset({"", "-", "none"})
_WIDE = 200
"""Columns where there is no terminal: results in a pipe are not folded to 80."""


def _as_it_is(text: str) -> str:
    return text


_spelling: Final[dict[str, Callable[[str], str]]] = {"commands": _as_it_is}


def spell_commands(respell: Callable[[str], str]) -> None:
    """Have RESPELL change what is printed, where another program runs than the texts name."""
    _spelling["commands"] = respell


def out() -> Console:
    """Where results go: stdout."""
    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, width=_WIDE)


def err() -> Console:
    """Where progress and errors go: stderr."""
    return Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())


def print_json(document: object) -> None:
    """One JSON document on stdout, nothing else."""
    sys.stdout.write(printable_json(_respelt(document)) + "\n")


def print_text(text: str) -> None:
    """TEXT on stdout."""
    print_verbatim(_spelling["commands"](text))


def print_verbatim(text: str) -> None:
    """A file's TEXT on stdout, as it is but for what is not printable."""
    sys.stdout.write(printable(text.removesuffix("\n")) + "\n")


def print_error(error: LabError) -> None:
    """The whole error on stderr, its first line marked."""
    first, *rest = _told(without_password(str(error)), lines=LINES).split("\n")
    console = err()
    console.print(Text.assemble(("error: ", "bold red"), (first, "bold")))
    for line in rest:
        console.print(Text(line))


def print_note(text: str) -> None:
    """TEXT on stderr, set apart from results."""
    err().print(Text(_told(without_password(text), lines=LINES), style="yellow"))


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str
) -> None:
    """ROWS under COLUMNS; EMPTY in their place where there are none."""
    every = list(rows)
    if not every:
        out().print(Text(empty))
        return
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    # A column in which no row says anything only takes room.
    shown = [n for n in range(len(columns)) if any(row[n] not in _NOTHING for row in every)]
    for number in shown:
        table.add_column(columns[number], no_wrap=number != shown[-1], overflow="fold")
    for row in every:
        table.add_row(*(_marked(row[number]) for number in shown))
    out().print(table)


def print_summary(title: str, rows: Sequence[tuple[str, str]], footer: Sequence[str] = ()) -> None:
    """Facts of one thing: label and value, framed on a terminal."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    for label, value in rows:
        grid.add_row(label, _marked(value))
    body: list[RenderableType] = [grid]
    if footer:
        body += [Text(""), *(Text(_told(line)) for line in footer)]
    console = out()
    if sys.stdout.isatty():
        framed = Text(in_line(title))
        console.print(Panel(Group(*body), title=framed, title_align="left", expand=False))
        return
    print_text(f"== {title}")
    width = max((len(label) for label, _ in rows), default=0)
    for label, value in rows:
        print_text(f"{label:<{width}}  {value}")
    for line in footer:
        print_text(line)


def ask(question: str) -> bool:
    """Whether a person typed y. No terminal to ask on means no."""
    if not sys.stdin.isatty():
        return False
    sys.stderr.write(f"{_told(question, lines=LINES)} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def reporter() -> Terminal | Plain:
    """The Report that fits where stderr goes. A context manager."""
    live = sys.stderr.isatty() and "CI" not in os.environ and os.environ.get("TERM") != "dumb"
    return Terminal() if live else Plain()


class Plain:
    """A line per event, with the clock and the seconds since the phase began."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: dict[str, float] = {}
        self._phase: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Plain:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def phase(self, subject: str, phase: str) -> None:
        with self._lock:
            now = self._clock()
            self._began.setdefault(subject, now)
            self._phase[subject] = (phase, now)
            self._line(subject, phase)

    def detail(self, subject: str, text: str) -> None: ...

    def done(self, subject: str, text: str) -> None:
        with self._lock:
            self._line(subject, f"{text}{self._took(subject)}")

    def failed(self, subject: str, text: str) -> None:
        with self._lock:
            self._line(subject, f"FAILED: {text}{self._took(subject)}")

    def say(self, text: str) -> None:
        with self._lock:
            self._write(text)

    def _line(self, subject: str, text: str) -> None:
        self._write(f"{subject}: {text}")

    def _write(self, text: str) -> None:
        # Indented: no text begins a line that looks like one of ours.
        told = _told(text, lines=LINES).replace("\n", "\n         ")
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {told}\n")
        sys.stderr.flush()

    def _took(self, subject: str) -> str:
        began = self._began.pop(subject, None)
        return "" if began is None else f" ({self._clock() - began:.0f} s)"


class Terminal(AbstractContextManager["Terminal"]):
    """A live line per subject under work; finished ones scroll up above them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rows: dict[str, _Row] = {}
        self._lock = threading.Lock()
        self._console = err()
        self._live = Live(
            console=self._console,
            refresh_per_second=8,
            transient=True,
            get_renderable=self._render,
        )

    def __enter__(self) -> Terminal:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def phase(self, subject: str, phase: str) -> None:
        with self._lock:
            now = self._clock()
            row = self._rows.setdefault(subject, _Row(began=now, since=now))
            row.phase, row.since, row.text = phase, now, ""

    def detail(self, subject: str, text: str) -> None:
        with self._lock:
            if subject in self._rows:
                self._rows[subject].text = in_line(text, most=_WIDE)

    def done(self, subject: str, text: str) -> None:
        self._finish(subject, _ending("✓ ", "green", subject, text))

    def failed(self, subject: str, text: str) -> None:
        self._finish(subject, _ending("✗ ", "red", subject, text))

    def say(self, text: str) -> None:
        self._console.print(Text(_told(text, lines=LINES)))

    def _finish(self, subject: str, line: Text) -> None:
        with self._lock:
            row = self._rows.pop(subject, None)
        if row is not None:
            line.append(f"  {self._clock() - row.began:.0f} s", style="dim")
        self._console.print(line)

    def _render(self) -> RenderableType:
        with self._lock:
            grid = Table.grid(padding=(0, 1))
            for subject, row in self._rows.items():
                grid.add_row(
                    row.spinner,
                    Text(in_line(subject), style="bold"),
                    Text(in_line(row.phase), style="cyan"),
                    Text(f"{self._clock() - row.since:3.0f} s", style="dim"),
                    Text(row.text, style="dim", overflow="ellipsis", no_wrap=True),
                )
            return grid


class _Row:
    def __init__(self, *, began: float, since: float) -> None:
        self.began = began
        self.since = since
        self.phase = ""
        self.text = ""
        self.spinner = Spinner("dots")


def _told(text: str, *, lines: int | None = None) -> str:
    return printable(_spelling["commands"](text), lines=lines)


def _respelt(document: Any) -> Any:
    if isinstance(document, str):
        return _spelling["commands"](document)
    if isinstance(document, dict):
        return {key: _respelt(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [_respelt(value) for value in document]
    return document


_STYLES = {
    "current": "green",
    "passed": "green",
    "running": "green",
    "failed": "bold red",
    "candidate": "yellow",
    "superseded": "dim",
    "stopped": "yellow",
    "ok": "green",
    "warn": "yellow",
    "fail": "bold red",
}


def _marked(cell: str) -> Text:
    return Text(_told(cell, lines=LINES), style=_STYLES.get(cell.lower(), ""))


def _ending(sign: str, style: str, subject: str, text: str) -> Text:
    told = _told(text, lines=LINES)
    return Text.assemble((sign, style), (in_line(subject), "bold"), f" {told}")
