"""This process' stdin, stdout and stderr while another command has them, and its terminal."""

from __future__ import annotations

import os
import signal
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from types import FrameType
from typing import Final

_PASSED_ON: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Size:
    """Of a terminal, in characters."""

    columns: int
    lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """Files of this process, by number, that a command elsewhere gets as its own."""

    stdin: int = 0
    stdout: int = 1
    stderr: int = 2
    size: Size | None = None
    """Of the terminal that stdin and stdout are; None where they are none."""
    heard: SimpleQueue[Size | signal.Signals] = field(default_factory=SimpleQueue)
    """What the command is to be told, as it happens: the terminal's new size, a signal."""


@contextmanager
def given_away() -> Iterator[Streams]:
    """This process' own streams. Its terminal hands on each key, Ctrl-C too, until the end.

    Without a terminal the first Ctrl-C is the command's, the second one is ours.
    """
    size = _size()
    streams = Streams(size=size)
    with _signals_heard(streams):
        if size is None:
            yield streams
            return
        with _raw(streams.stdin):
            yield streams


@contextmanager
def _raw(terminal: int) -> Iterator[None]:
    before = termios.tcgetattr(terminal)
    # At once: a terminal that nobody reads is never drained.
    tty.setraw(terminal, termios.TCSANOW)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)


@contextmanager
def _signals_heard(streams: Streams) -> Iterator[None]:
    told: set[int] = set()

    def pass_on(number: int, _frame: FrameType | None) -> None:
        if number in told:
            raise KeyboardInterrupt
        told.add(number)
        streams.heard.put(signal.Signals(number))

    def resized(_number: int, _frame: FrameType | None) -> None:
        if (size := _size()) is not None:
            streams.heard.put(size)

    before = {number: signal.signal(number, pass_on) for number in _PASSED_ON}
    before[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, resized)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _size() -> Size | None:
    """None unless there is a terminal to type on and to show on."""
    if not (os.isatty(0) and os.isatty(1)):
        return None
    found = os.get_terminal_size(1)
    # Of a serial line it is 0, which no program can draw on.
    return Size(found.columns or 80, found.lines or 24)
