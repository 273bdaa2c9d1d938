"""A table that is drawn again and again, on a terminal of its own size."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from lab.console.rich_output import out, table_of
from lab.errors import InputError

_EVERY: Final = 2.0
"""Seconds from one look to the next."""
_AROUND: Final = 6
"""Lines that are no rows: the time, the heads of the columns, what is left out."""

Rows = Sequence[Sequence[str]]


def refuse_without_terminal() -> None:
    """InputError unless stdout is a terminal that can be drawn on."""
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        raise InputError(
            "--watch draws on a terminal, and the output does not go to one.",
            fix="Leave --watch out, or use a terminal. For programs: invoke list --json",
        )


def watch_table(
    columns: Sequence[str],
    look: Callable[[], Rows],
    *,
    empty: str,
    pause: Callable[[float], None] = time.sleep,
    console: Console | None = None,
) -> None:
    """What LOOK finds, under COLUMNS, until Ctrl-C; then the terminal is as it was."""
    screen = console or out()
    with Live(console=screen, screen=True, auto_refresh=False) as live:
        try:
            while True:
                live.update(_drawn(columns, look(), empty, screen.height), refresh=True)
                pause(_EVERY)
        except KeyboardInterrupt:
            return


def _drawn(columns: Sequence[str], rows: Rows, empty: str, height: int) -> RenderableType:
    room = max(1, height - _AROUND)
    left = len(rows) - room
    more = f"and {left} more: a higher window shows them" if left > 0 else ""
    return Group(
        Text(f"{time.strftime('%H:%M:%S')}  Ctrl-C ends this", style="dim"),
        table_of("", columns, rows[:room], empty=empty),
        Text(more, style="dim"),
    )
