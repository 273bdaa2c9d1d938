"""The texts of a card in one language, from `texts/LANGUAGE.yaml`.

In a text, {FIELD} stands for a value, `so` for what is typed and **so** for what a program shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.printable import in_line
from lab.settings.notify import Language
from lab.yaml.tree import read_tree
from provision.card.document import Line, Span, Style

DIRECTORY: Final = Path(__file__).parent / "texts"
_MARKED: Final = re.compile(r"`(?P<code>[^`]+)`|\*\*(?P<strong>[^*]+)\*\*")
_LONGEST: Final = 250
"""Characters of a value: more than any of the settings may have."""


@dataclass(frozen=True, slots=True)
class Words:
    language: Language
    texts: Mapping[str, str]

    def text(self, key: str, **fields: object) -> str:
        """Without marks, as titles and labels are."""
        return self.texts[key].format_map(_printable(fields))

    def line(self, key: str, **fields: object) -> Line:
        """Spans are told apart before values come in: a value begins and ends none."""
        shown = _printable(fields)
        return tuple(Span(text.format_map(shown), style) for text, style in _spans(self.texts[key]))


def words_in(language: Language) -> Words:
    value = read_tree(DIRECTORY / f"{language.value}.yaml").value
    assert isinstance(value, dict)  # noqa: S101 - our own file
    return Words(language, {key: str(text) for key, text in value.items()})


def value(text: object) -> Span:
    """A value alone."""
    return Span(in_line(str(text), most=_LONGEST))


def _spans(text: str) -> Iterator[tuple[str, Style]]:
    end = 0
    for found in _MARKED.finditer(text):
        if before := text[end : found.start()]:
            yield before, Style.PLAIN
        end = found.end()
        if found["code"] is not None:
            yield found["code"], Style.CODE
        else:
            yield found["strong"], Style.STRONG
    if rest := text[end:]:
        yield rest, Style.PLAIN


def _printable(fields: Mapping[str, object]) -> dict[str, str]:
    return {key: in_line(str(one), most=_LONGEST) for key, one in fields.items()}
