"""How what is printed names the commands: as `invoke`, or as the program that runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from lab.printable import printable


def _as_it_is(text: str) -> str:
    return text


_spelling: Final[dict[str, Callable[[str], str]]] = {"commands": _as_it_is}


def spell_commands(spelling: Callable[[str], str]) -> None:
    """Have SPELLING change what is printed, where another program runs than the texts name."""
    _spelling["commands"] = spelling


def respell(text: str) -> str:
    """TEXT, with the commands as the program that runs names them."""
    return _spelling["commands"](text)


def told(text: str, *, lines: int | None = None) -> str:
    """TEXT respelt and made printable, at most LINES lines of it."""
    return printable(respell(text), lines=lines)


def respelt(document: Any) -> Any:
    """DOCUMENT with every text in it respelt."""
    if isinstance(document, str):
        return respell(document)
    if isinstance(document, dict):
        return {key: respelt(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [respelt(value) for value in document]
    return document
