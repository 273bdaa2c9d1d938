"""The words of a command line: which command and which option each one belongs to. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from math import inf
from typing import Final

from invoke.parser.context import ParserContext

_OPTION: Final = re.compile(r"--[a-z]")
"""What begins so is no value, unlike `-` and a key: -----BEGIN, ---- BEGIN SSH2 PUBLIC KEY."""


class Kind(Enum):
    COMMAND = auto()
    OPTION = auto()
    VALUE = auto()
    """Of the option before it."""
    ARGUMENT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    text: str
    kind: Kind
    context: ParserContext
    """Of the command that it belongs to; of the program before any."""
    awaits_value: bool = False
    """An option whose value is to be the next word."""


def typed(
    words: Sequence[str], contexts: Sequence[ParserContext], core: ParserContext
) -> Iterator[Word]:
    """WORDS behind the program's name. What begins with a dash is an option, known or not.

    A command's name after one that has all its arguments is the next command, as invoke takes it.
    """
    by_name = {name: context for context in contexts for name in (context.name, *context.aliases)}
    context, awaits_value, lacking = core, False, 0.0
    for word in words:
        kind = Kind.ARGUMENT
        was_awaited, awaits_value = awaits_value, False
        if was_awaited and not (word in context.flags or _OPTION.match(word)):
            kind = Kind.VALUE
        elif word.startswith("-") and word != "-":
            kind = Kind.OPTION
            name, equals, _ = word.partition("=")
            flag = context.flags.get(name) or core.flags.get(name)
            awaits_value = bool(flag and flag.takes_value and not flag.optional and not equals)
        elif word in by_name and not lacking:
            kind, context = Kind.COMMAND, by_name[word]
            lacking = _arguments(context)
        else:
            lacking = max(lacking - 1, 0)
        yield Word(text=word, kind=kind, context=context, awaits_value=awaits_value)


def _arguments(context: ParserContext) -> float:
    """How many words it takes that are no options."""
    arguments = context.positional_args
    return inf if any(each.kind is list for each in arguments) else len(arguments)


def options(context: ParserContext) -> list[str]:
    """Those that are documented: not an argument's name, which invoke takes as an option, too."""
    arguments = {
        **context.flags,
        **{flag: context.flags[meant] for flag, meant in context.inverse_flags.items()},
    }
    return sorted(
        flag
        for flag, argument in arguments.items()
        if flag.startswith("--") and not argument.positional
    )
