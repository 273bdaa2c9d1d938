"""All that labstamp prints, made printable here and nowhere else.

On a terminal one live line per subject; elsewhere (pipes, CI, NO_COLOR) plain lines with times.
"""

from __future__ import annotations

import os
import sys

from lab.console.plain import Plain
from lab.console.rich_output import (
    Terminal,
    print_error,
    print_note,
    print_summary,
    print_table,
)
from lab.console.spelling import spell_commands
from lab.console.text import ask, print_json, print_text, print_verbatim
from lab.console.watch import refuse_without_terminal, watch_table

__all__ = [
    "Plain",
    "Terminal",
    "ask",
    "print_error",
    "print_json",
    "print_note",
    "print_summary",
    "print_table",
    "print_text",
    "print_verbatim",
    "refuse_without_terminal",
    "reporter",
    "spell_commands",
    "watch_table",
]


def reporter() -> Terminal | Plain:
    """The Report that fits where stderr goes. A context manager."""
    live = sys.stderr.isatty() and "CI" not in os.environ and os.environ.get("TERM") != "dumb"
    return Terminal() if live else Plain()
