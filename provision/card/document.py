"""A card before it is a text, Markdown or a page: sections of blocks, and lines of spans."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, TypeAlias

from lab.settings.notify import Language


class Style(str, Enum):
    PLAIN = "plain"
    CODE = "code"
    """What is typed, or is there by this very name."""
    STRONG = "strong"
    """What a program shows: a button, a menu."""


@dataclass(frozen=True, slots=True)
class Span:
    text: str
    """In one line, every character of it printable."""
    style: Style = Style.PLAIN


Line: TypeAlias = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    kind: ClassVar[str] = "paragraph"
    line: Line


@dataclass(frozen=True, slots=True)
class Code:
    """What is copied as it is."""

    kind: ClassVar[str] = "code"
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Labels and what there is to say of them."""

    kind: ClassVar[str] = "table"
    rows: tuple[tuple[str, Line], ...]


@dataclass(frozen=True, slots=True)
class Steps:
    kind: ClassVar[str] = "steps"
    items: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class File:
    """A small file: offered by a page, printed elsewhere."""

    kind: ClassVar[str] = "file"
    name: str
    offer: Line
    """The words to click on."""
    make: Line
    """What to do where there is nothing to click on."""
    lines: tuple[str, ...]


Block: TypeAlias = Paragraph | Code | Table | Steps | File


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    language: Language
    title: str
    sections: tuple[Section, ...]
    """The first one stands below the title, and needs none of its own."""
