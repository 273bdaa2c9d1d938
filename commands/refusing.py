"""A command line that cannot be used ends as a text and an exit code, not as invoke's exception."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from invoke.exceptions import Exit, ParseError
from invoke.parser.context import ParserContext

from commands.mistyped import explained
from lab import console
from lab.errors import LabError


@contextmanager
def explaining(commands: Collection[str], core: ParserContext, *, program: str) -> Iterator[None]:
    """Of PROGRAM, whose COMMANDS these are; CORE has its own options."""
    try:
        yield
    except ParseError as error:
        raise _ended(explained(error, commands, core, program=program)) from None
    except LabError as error:
        raise _ended(error) from None


def _ended(error: LabError) -> Exit:
    console.print_error(error)
    return Exit(code=error.exit_code)
