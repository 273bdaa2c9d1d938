"""What rich lays out: errors, tables, summaries, and a live line per subject on a terminal."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from lab.console.spelling import told
from lab.console.text import print_text
from lab.errors import LabError
from lab.printable import LINES, in_line
from lab.urls import without_password

_NOTHING = frozenset({"", "-", "none"})
_NAME = 40
"""Columns of a name that are never given to others."""
_WIDE = 200
"""Columns where there is no terminal: results in a pipe are not folded to 80."""


def out() -> Console:
    """Where results go: stdout."""
    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, width=_WIDE)


def err() -> Console:
    """Where progress and errors go: stderr."""
    return Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())


def print_error(error: LabError) -> None:
    """The whole error on stderr, its first line marked."""
    first, *rest = told(without_password(str(error)), lines=LINES).split("\n")
    console = err()
    console.print(Text.assemble(("error: ", "bold red"), (first, "bold")))
    for line in rest:
        console.print(Text(line))


def print_note(text: str) -> None:
    """TEXT on stderr, set apart from results."""
    err().print(Text(told(without_password(text), lines=LINES), style="yellow"))


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str
) -> None:
    """ROWS under COLUMNS; EMPTY in their place where there are none."""
    out().print(table_of(title, columns, list(rows), empty=empty))


def table_of(
    title: str, columns: Sequence[str], every: Sequence[Sequence[str]], *, empty: str
) -> RenderableType:
    if not every:
        return Text(told(empty))
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    # A column in which no row says anything only takes room.
    shown = [n for n in range(len(columns)) if any(row[n] not in _NOTHING for row in every)]
    for number in shown:
        table.add_column(
            columns[number],
            no_wrap=number != shown[-1],
            overflow="fold",
            # Where a terminal is narrow, names are the last to be cut.
            min_width=min(_NAME, max(len(row[0]) for row in every)) if number == 0 else None,
        )
    for row in every:
        table.add_row(*(_marked(row[number]) for number in shown))
    return table


def print_summary(title: str, rows: Sequence[tuple[str, str]], footer: Sequence[str] = ()) -> None:
    """Facts of one thing: label and value, framed on a terminal."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    for label, value in rows:
        grid.add_row(label, _marked(value))
    body: list[RenderableType] = [grid]
    if footer:
        body += [Text(""), *(Text(told(line)) for line in footer)]
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
        self._console.print(Text(told(text, lines=LINES)))

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
    return Text(told(cell, lines=LINES), style=_STYLES.get(cell.lower(), ""))


def _ending(sign: str, style: str, subject: str, text: str) -> Text:
    return Text.assemble((sign, style), (in_line(subject), "bold"), f" {told(text, lines=LINES)}")
