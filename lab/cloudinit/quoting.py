"""Any value as one YAML value, with any content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def quoted(value: object) -> str:
    """VALUE in YAML's flow style; texts in double quotes, readable where they are printable."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + "".join(map(_escaped, value)) + '"'
    if isinstance(value, Mapping):
        pairs = (f"{quoted(str(key))}: {quoted(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(quoted, value)) + "]"
    raise TypeError(f"{type(value).__name__} cannot be quoted")


def block(value: object, indent: int = 6) -> str:
    """The text VALUE as a literal block whose lines are indented by INDENT spaces.

    A text that a block cannot hold as it is comes out quoted.
    """
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} cannot be a block of text")
    lines = value.split("\n")
    fits = (
        len(lines) > 1
        and lines[-1] == ""
        and lines[-2] != ""
        and lines[0] == lines[0].lstrip()
        and lines[0] != ""
        and all(line.isprintable() for line in lines)
    )
    if not fits:
        return quoted(value)
    return "|\n" + "\n".join(" " * indent + line if line else "" for line in lines[:-1])


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    # JSON's surrogate pairs would be two characters to YAML, which has \U for them.
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else f"\\U{code:08x}"
    )
