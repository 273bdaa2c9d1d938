"""What a shell offers at TAB: commands, then the options of the one that is typed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from invoke.parser.context import ParserContext

from commands.typed import Kind, options, typed
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


def candidates(
    words: Sequence[str], contexts: Sequence[ParserContext], core: ParserContext
) -> list[str]:
    """What the last of WORDS, begun or empty, may become. WORDS follow the program's name.

    Nothing where a value or an argument is wanted: then shells offer files.
    """
    if "--" in words[:-1]:
        return []  # a command's, as of `exec`
    *_, last = typed(words or [""], contexts, core)
    if last.kind is Kind.VALUE:
        return []
    offered: list[str] = []
    if last.text.startswith("-"):
        offered = options(last.context)
    elif last.context is core or last.kind is Kind.COMMAND:
        names = (name for context in contexts for name in (context.name, *context.aliases))
        offered = sorted(filter(None, names))
    return [word for word in offered if word.startswith(last.text)]
