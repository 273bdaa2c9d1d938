"""What a shell offers at TAB: commands, then the options of the one that is typed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext

from lab.errors import InputError
from lab.names import quote

_SCRIPTS: Final = Path(__file__).parent / "completions"


def script(shell: str) -> str:
    """The text that has SHELL ask `labstamp --complete -- WORDS`."""
    known = {path.stem: path for path in sorted(_SCRIPTS.iterdir())}
    if shell not in known:
        raise InputError(
            f"There is no completion for the shell {quote(shell)}.",
            fix=f"Choose one of: {', '.join(known)}",
        )
    return known[shell].read_text(encoding="utf-8")


def options(context: ParserContext) -> list[str]:
    """Those that are documented: not an argument's name, which invoke takes as an option, too."""
    return sorted(
        flag
        for flag, argument in {**context.flags, **_inverse(context)}.items()
        if flag.startswith("--") and not argument.positional
    )


def _inverse(context: ParserContext) -> dict[str, Argument]:
    return {flag: context.flags[meant] for flag, meant in context.inverse_flags.items()}


def candidates(
    words: Sequence[str], contexts: Sequence[ParserContext], core: ParserContext
) -> list[str]:
    """What the last of WORDS, begun or empty, may become. WORDS follow the program's name.

    Nothing where a value or an argument is wanted: then shells offer files.
    """
    *typed, begun = words or [""]
    by_name = {name: context for context in contexts for name in (context.name, *context.aliases)}
    context, awaits_value = core, False
    for word in typed:
        if awaits_value:
            awaits_value = False
        elif word in context.flags:
            flag = context.flags[word]
            awaits_value = flag.takes_value and not flag.optional
        elif context is core and word in by_name:
            context = by_name[word]
    if awaits_value:
        return []
    if begun.startswith("-"):
        offered = options(context)
    else:
        offered = sorted(filter(None, by_name)) if context is core else []
    return [word for word in offered if word.startswith(begun)]
