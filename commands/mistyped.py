"""What was mistyped, and what was probably meant: from the words of invoke's parser."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final

from invoke.exceptions import ParseError
from invoke.parser.context import ParserContext

from commands.completion import options
from lab.errors import LabError
from lab.names import quote

_UNKNOWN: Final = re.compile(r"No idea what (?P<quote>['\"])(?P<word>.*)(?P=quote) is!", re.DOTALL)
_MISSING: Final = re.compile(r"'.+' did not receive required positional arguments: (?P<names>.+)")
_VALUELESS: Final = re.compile(r"Flag <Argument: (?P<name>[\w-]+).*> needed value", re.DOTALL)


def explained(error: ParseError, commands: Iterable[str], core: ParserContext) -> LabError:
    """ERROR for people; its exit code is 1. CORE: the options that need no command."""
    context = error.context or core
    command = context.name or ""
    help_of = f"See its arguments and options: invoke --help {command}"
    text = str(error)
    if found := _UNKNOWN.fullmatch(text):
        return _unknown(found["word"], context, commands)
    if found := _MISSING.fullmatch(text):
        names = found["names"].replace("'", "").upper()
        return LabError(f"{command} needs: {names}.", fix=help_of)
    if found := _VALUELESS.match(text):
        return LabError(f"--{found['name'].replace('_', '-')} needs a value.", fix=help_of)
    return LabError(text)


def _unknown(word: str, context: ParserContext, commands: Iterable[str]) -> LabError:
    command = context.name
    if word.startswith("-"):
        brief = f"{command or 'labstamp'} has no option {quote(word)}."
        close = _close_options(word, context)
        otherwise = f"See its options: invoke --help {command}"
        if not command:
            otherwise = "See the options: invoke --help. Those of a command are typed after it."
    else:
        brief = f"There is no command {quote(word)}."
        if command:
            brief = f"{command} takes no further argument, and {quote(word)} is not a command."
        close = _close_commands(word, commands)
        otherwise = "See all commands: invoke --list"
    return LabError(brief, fix=f"Did you mean: {', '.join(close)}" if close else otherwise)


def _close_options(word: str, context: ParserContext) -> list[str]:
    known = options(context)
    if word.startswith("--"):
        return [f"--{name}" for name in _close(word[2:], [flag[2:] for flag in known])]
    # There are no short ones: -t may be for --template.
    return [flag for flag in known if flag.startswith(f"-{word}")]


def _close_commands(word: str, commands: Iterable[str]) -> list[str]:
    """Also those that begin or end with WORD: `build`, and `check` of `host.check`."""
    known = sorted(commands)
    parts = [name for name in known if word in {name.split("-")[0], name.rpartition(".")[2]}]
    return parts or _close(word, known)


def _close(word: str, known: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)
