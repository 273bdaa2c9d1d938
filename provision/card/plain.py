"""A card as text for a terminal or a mail. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from provision.card.document import Block, Card, Code, File, Line, Paragraph, Style, Table

_INDENT = "    "


def as_text(card: Card) -> str:
    lines = [f"== {card.title}"]
    for section in card.sections:
        if section.title:
            lines += ["", f"-- {section.title}"]
        for block in section.blocks:
            lines += ["", *_lines(block)] if not isinstance(block, Table) else _lines(block)
    return "\n".join(lines) + "\n"


def _lines(block: Block) -> Iterator[str]:
    match block:
        case Paragraph(line):
            yield _inline(line)
        case Code(lines):
            yield from (f"{_INDENT}{line}" for line in lines)
        case Table(rows):
            width = max(_width(label) for label, _ in rows)
            for label, line in rows:
                yield f"{label}{' ' * (width - _width(label))}  {_inline(line)}"
        case File(_, _, make, lines):
            yield _inline(make)
            yield ""
            yield from (f"{_INDENT}{line}" for line in lines)
        case _:
            yield from (f"{n}. {_inline(item)}" for n, item in enumerate(block.items, start=1))


def _inline(line: Line) -> str:
    return "".join(f"`{one.text}`" if one.style is Style.CODE else one.text for one in line)


def _width(text: str) -> int:
    """Columns of a terminal: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
