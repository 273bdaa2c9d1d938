"""Progress where there is no terminal (pipes, CI): plain lines with times."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType

from lab.console.spelling import told
from lab.printable import LINES


class Plain:
    """A line per event, with the clock and the seconds since the phase began."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: dict[str, float] = {}
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
            self._began.setdefault(subject, self._clock())
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
        line = told(text, lines=LINES).replace("\n", "\n         ")
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
        sys.stderr.flush()

    def _took(self, subject: str) -> str:
        began = self._began.pop(subject, None)
        return "" if began is None else f" ({self._clock() - began:.0f} s)"
