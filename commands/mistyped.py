"""What was mistyped, and what was probably meant: from the words of invoke's parser."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Final

from invoke.exceptions import ParseError
from invoke.parser.context import ParserContext

from commands.typed import Kind, Word, options
from lab.errors import LabError
from lab.names import quote

_UNKNOWN: Final = re.compile(r"No idea what (?P<quote>['\"])(?P<word>.*)(?P=quote) is!", re.DOTALL)
_MISSING: Final = re.compile(r"'.+' did not receive required positional arguments: (?P<names>.+)")
_LIST_FORMATS: Final = ("flat", "nested", "json")
_VALUELESS: Final = re.compile(r"Flag <Argument: (?P<name>[\w-]+).*> needed value", re.DOTALL)


def wants_help(words: Sequence[Word], core: ParserContext) -> str | None:
    """The command in WORDS that --help or -h stands behind, wherever that is.

    LabError where an option is wrong; with --help, one before that. For before invoke's parser,
    which takes for an argument, such as a NAME, what begins with a dash: --help, other options of
    the program's own (CORE), options that it does not know. And it lets a repeatable option,
    --key, go without a value.
    """
    asks = (number for number, word in enumerate(words) if _asks_for_help(word, core))
    help_at = next(asks, None)
    if wrong := _wrong_option(words[:help_at], core):
        raise wrong
    return None if help_at is None else words[help_at].context.name


def _asks_for_help(word: Word, core: ParserContext) -> bool:
    is_option = word.kind is Kind.OPTION and word.context is not core
    return is_option and word.text.partition("=")[0] in {"--help", "-h"}


def _wrong_option(words: Sequence[Word], core: ParserContext) -> LabError | None:
    """What is wrong with the first option that is, of a command's, in WORDS."""
    for word, following in zip_longest(words, words[1:]):
        if word.kind is not Kind.OPTION or word.context is core:
            continue
        name = word.text.partition("=")[0]
        if name not in {*word.context.flags, *word.context.inverse_flags}:
            return _unknown_option(name, word.context, "")
        if word.awaits_value and (following is None or following.kind is not Kind.VALUE):
            return _valueless_option(name, word.context)
    return None


def wrong_list_format(chosen: str) -> LabError | None:
    """For before invoke, whose program calls its own method of that name."""
    if chosen in _LIST_FORMATS:
        return None
    return LabError(
        f"There is no list format {quote(chosen)}.",
        fix=f"Choose one of: {', '.join(_LIST_FORMATS)}",
    )


def useless_dry(asked: bool) -> LabError | None:
    """`invoke --dry` leaves out what tasks run by invoke, which labstamp's do not."""
    if not asked:
        return None
    return LabError(
        "--dry would leave out nothing: labstamp would make every change.",
        details="Nothing was done.",
        fix="Ask a command that has --plan what it would do: invoke build-images --plan",
    )


def explained(
    error: ParseError, commands: Iterable[str], core: ParserContext, *, program: str
) -> LabError:
    """ERROR for people; its exit code is 1. CORE: the options of PROGRAM, without a command."""
    context = error.context or core
    command = context.name or ""
    text = str(error)
    if found := _UNKNOWN.fullmatch(text):
        if found["word"].startswith("-"):
            return _unknown_option(found["word"], context, program)
        return _unknown_word(found["word"], command, commands)
    if found := _MISSING.fullmatch(text):
        names = found["names"].replace("'", "").upper()
        return LabError(f"{command} needs: {names}.", fix=_usage(context))
    if found := _VALUELESS.match(text):
        return _valueless_option(f"--{found['name'].replace('_', '-')}", context)
    return LabError(text)


def _valueless_option(option: str, context: ParserContext) -> LabError:
    return LabError(f"{option} needs a value.", fix=_usage(context))


def _unknown_option(word: str, context: ParserContext, program: str) -> LabError:
    """WORD is none of CONTEXT, which is a command's or PROGRAM's own."""
    brief = f"{context.name or program} has no option {quote(word)}."
    return _meaning(brief, _close_options(word, options(context)), _usage(context))


def _unknown_word(word: str, command: str, commands: Iterable[str]) -> LabError:
    brief = f"There is no command {quote(word)}."
    if command:
        brief = f"{command} takes no further argument, and {quote(word)} is not a command."
    return _meaning(brief, _close_commands(word, commands), "See all commands: invoke --list")


def _usage(context: ParserContext) -> str:
    if context.name:
        return f"See its arguments and options: invoke --help {context.name}"
    return "See the options: invoke --help. Type the options of a command after its name."


def _meaning(brief: str, close: list[str], otherwise: str) -> LabError:
    return LabError(brief, fix=f"Did you mean: {', '.join(close)}" if close else otherwise)


def _close_options(word: str, known: list[str]) -> list[str]:
    if word.startswith("--"):
        return [f"--{name}" for name in _close(word[2:], [option[2:] for option in known])]
    # There are no short ones: -t may be for --template.
    return [option for option in known if option.startswith(f"-{word}")]


def _close_commands(word: str, commands: Iterable[str]) -> list[str]:
    """Also by the first word of a command, as `build`, and without `host.`."""
    parts: dict[str, list[str]] = {}
    for name in sorted(commands):
        for part in (name, name.split("-")[0], name.rpartition(".")[2]):
            parts.setdefault(part, []).append(name)
    close = [word] if word in parts else _close(word, parts)
    return list(dict.fromkeys(name for part in close for name in parts[part]))


def _close(word: str, known: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)
