"""Text of others on its way to a terminal or a log: what it may look like there, and how much.

Names of files and processes, output, properties of images, LXD's own words, which quote them: all
of it may hold sequences that a terminal obeys, turn the rest of a line around, or never end.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Final

LINE: Final = 4000
"""Characters; a line of a package list or of a key is shorter."""
LINES: Final = 200
_KEPT: Final = "\n\t"


def printable(text: str, *, line: int = LINE, lines: int | None = None) -> str:
    """TEXT with every character seen, and none obeyed: `\\x1b`, `\\u202e`, `\\x9b`.

    Lines stay lines. Each has LINE characters at most, and there are LINES of them: the first and
    the last, where there were more.
    """
    every = text.split("\n")
    if lines is not None and len(every) > lines:
        half = lines // 2
        left_out = f"… {len(every) - 2 * half} lines …"
        every = [*every[:half], left_out, *every[-half:]]
    return "\n".join(_shortened(each, line) for each in every)


def in_line(text: str, *, most: int = 80) -> str:
    """TEXT as part of a line: newlines are seen, too."""
    begun = text[: most + 1].replace("\n", "\\n").replace("\t", "\\t")
    return _shortened(begun, most)


def printable_json(document: object) -> str:
    """DOCUMENT as indented JSON, in which all that is not seen is escaped as JSON has it."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return re.sub(r"[^\n -~]", lambda found: _in_json(found[0]), text)


def _shortened(text: str, most: int) -> str:
    seen = "".join(map(_seen, text[: most + 1]))
    return seen if len(seen) <= most else f"{seen[: most - 1]}…"


def _seen(character: str) -> str:
    if _is_harmless(character):
        return character
    return character.encode("unicode_escape").decode("ascii")


def _in_json(character: str) -> str:
    return character if _is_harmless(character) else json.dumps(character)[1:-1]


def _is_harmless(character: str) -> bool:
    """Whether a terminal shows it: no control (C0, C1), no turn of direction, no surrogate."""
    return (
        character.isprintable()
        or character in _KEPT
        # Wide and fixed spaces, which Python does not count as printable.
        or unicodedata.category(character) == "Zs"
    )
