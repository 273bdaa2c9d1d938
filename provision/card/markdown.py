"""A card as Markdown (CommonMark). Pure. No value begins a mark, a link or HTML in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from provision.card.document import Block, Card, Code, File, Line, Paragraph, Span, Style, Table

# Every one of them may have a backslash before it; others mean nothing within a line.
_MARKS: Final = re.compile(r"([\\`*_\[\]<>&|~#!])")


def as_markdown(card: Card) -> str:
    lines = [f"# {_escaped(card.title)}"]
    for section in card.sections:
        if section.title:
            lines += ["", f"## {_escaped(section.title)}"]
        for block in section.blocks:
            lines += ["", *_lines(block)]
    return "\n".join(lines) + "\n"


def _lines(block: Block) -> Iterator[str]:
    match block:
        case Paragraph(line):
            yield _inline(line)
        case Code(lines):
            yield from _fenced(lines)
        case Table(rows):
            yield from (f"- {_escaped(label)}: {_inline(line)}" for label, line in rows)
        case File(_, _, make, lines):
            yield _inline(make)
            yield ""
            yield from _fenced(lines)
        case _:
            yield from (f"{n}. {_inline(item)}" for n, item in enumerate(block.items, start=1))


def _fenced(lines: Sequence[str]) -> Iterator[str]:
    fence = "`" * max(3, _longest_run(lines) + 1)
    yield from (fence, *lines, fence)


def _inline(line: Line) -> str:
    return "".join(map(_span, line))


def _span(span: Span) -> str:
    if span.style is Style.PLAIN:
        return _escaped(span.text)
    if span.style is Style.STRONG:
        return f"**{_escaped(span.text)}**"
    run = _longest_run([span.text])
    fence = "`" * (run + 1)
    # One blank on each side is no part of the code.
    gap = " " if run or span.text != span.text.strip() else ""
    return f"{fence}{gap}{span.text}{gap}{fence}"


def _escaped(text: str) -> str:
    return _MARKS.sub(r"\\\1", text)


def _longest_run(lines: Sequence[str]) -> int:
    return max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
