"""What every command does at its edge."""

from __future__ import annotations

import subprocess
import sys

from lab.places import ROOT

_PRINTS = """
from commands.cli import command
from invoke.exceptions import Exit
from lab import console

@command()
def many(_c):
    for _ in range(20000):
        console.print_text("a line")

try:
    many(__import__("invoke").Context())
except Exit as gone:
    raise SystemExit(gone.code)
"""


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PRINTS],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "a line\n"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141
