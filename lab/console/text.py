"""Text and JSON for stdout, and a question to a person."""

from __future__ import annotations

import sys

from lab.console.spelling import respell, respelt, told
from lab.printable import LINES, printable, printable_json


def print_json(document: object) -> None:
    """One JSON document on stdout, nothing else."""
    sys.stdout.write(printable_json(respelt(document)) + "\n")


def print_text(text: str) -> None:
    """TEXT on stdout."""
    print_verbatim(respell(text))


def print_verbatim(text: str) -> None:
    """A file's TEXT on stdout, as it is but for what is not printable."""
    sys.stdout.write(printable(text.removesuffix("\n")) + "\n")


def ask(question: str) -> bool:
    """Whether a person typed y. No terminal to ask on means no."""
    if not sys.stdin.isatty():
        return False
    sys.stderr.write(f"{told(question, lines=LINES)} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
