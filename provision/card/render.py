"""A card in one of its formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from provision.card.document import Card
from provision.card.markdown import as_markdown
from provision.card.plain import as_text

_TEXTS: Final[Mapping[str, Callable[[Card], str]]] = MappingProxyType(
    {"text": as_text, "markdown": as_markdown}
)


def render(card: Card, format_: str) -> str:
    """FORMAT_: text, markdown or html."""
    if format_ == "html":
        # jinja2 takes longer to import than all the rest.
        from provision.card.page import as_page  # noqa: PLC0415

        return as_page(card)
    return _TEXTS[format_](card)
