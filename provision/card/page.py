"""A card as one HTML page: no script, no other file, nothing fetched from anywhere."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lab.cloudinit.render import render_page
from lab.settings.notify import Language
from provision.card.document import Card

_TEMPLATE: Final = "card.html.j2"
_LANGUAGES: Final = {Language.ENGLISH: "en", Language.CHINESE: "zh-CN"}


def as_page(card: Card) -> str:
    values = {"card": card, "lang": _LANGUAGES[card.language], "data_uri": data_uri}
    return render_page(_TEMPLATE, Path(__file__).parent, values)


def data_uri(lines: Sequence[str]) -> str:
    """A file of LINES as Windows ends them."""
    content = "".join(f"{line}\r\n" for line in lines).encode()
    return f"data:application/x-rdp;base64,{base64.b64encode(content).decode()}"
