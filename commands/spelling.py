"""Commands in texts, as they are typed here. All texts say `invoke COMMAND`, as in a checkout."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from shlex import quote
from typing import Final

_INVOKED: Final = re.compile(
    r"(?<![\w./-])(?P<sudo>sudo )?(?:\.venv/bin/)?invoke "
    r"(?P<name>--[a-z]+|[a-z][a-z-]*(?:\.[a-z][a-z-]*)?)"
)
_OF_SUDO: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The PATH of sudo, whatever the PATH of who calls it."""


def respelling(script: Path, commands: Collection[str]) -> Callable[[str], str]:
    """How texts that name one of COMMANDS are changed where SCRIPT is the program that runs."""
    typed = _typed(script, path=None)
    by_root = _typed(script, path=_OF_SUDO)

    def respell(text: str) -> str:
        return _INVOKED.sub(replacement, text)

    def replacement(found: re.Match[str]) -> str:
        name = found["name"]
        if name not in commands and not name.startswith("--"):
            return found[0]
        return f"sudo {by_root} {name}" if found["sudo"] else f"{typed} {name}"

    return respell


def _typed(script: Path, *, path: str | None) -> str:
    """Its name where a shell finds it by that, else where it is."""
    found = shutil.which(script.name, path=path)
    if found is not None and Path(found).resolve() == script.resolve():
        return script.name
    return quote(str(script.absolute()))
