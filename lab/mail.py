"""Which mail addresses are accepted: plain ones, which need no quotes in a header or a URL."""

from __future__ import annotations

import re
from typing import Final

from lab.errors import InputError
from lab.printable import in_line

_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}",
    re.ASCII,
)
_LONGEST: Final = 254


def is_mail(text: str) -> bool:
    local = text.partition("@")[0]
    return len(text) <= _LONGEST and len(local) <= 64 and bool(_ADDRESS.fullmatch(text))


def check_mail(text: str) -> str:
    """TEXT; InputError unless it is a mail address."""
    if not is_mail(text):
        raise InputError(
            f'--mail: "{in_line(text)}" is not a mail address.',
            fix="Give one such as --mail ann@example.edu",
        )
    return text
