"""What a container is to have and has, as text for each field: compared, kept, shown. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from lab.sizes import as_limit, format_size
from provision.expiring import NEVER
from provision.lab_file.wanted import Wanted
from provision.limits import bytes_of

SIZES: Final = ("memory", "disk", "home")
LIMITS: Final = ("cpus", "memory", "processes", "disk", "home")
FIELDS: Final = ("template", *LIMITS, "gpus", "shares", "keys", "until", "mail")
NOTHING: Final = ""
"""Of shares and keys: none of them."""

Texts = Mapping[str, str]
"""By field. One that is missing: nothing is said of it, or it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The value of `user.lab.applied`, on containers."""

    file: Texts = field(default_factory=dict)
    """What the file said when it was applied last."""
    kept: Texts = field(default_factory=dict)
    """What somebody gave the container otherwise, and an admin chose to keep."""

    def __str__(self) -> str:
        told = {"file": dict(self.file), "kept": dict(self.kept)}
        return json.dumps(told, sort_keys=True, separators=(",", ":"))


def read_mark(text: str | None) -> Mark:
    """An empty one where there is none, or somebody wrote something else there."""
    try:
        told = json.loads(text or "{}")
        return Mark(file=_texts(told.get("file", {})), kept=_texts(told.get("kept", {})))
    except (ValueError, AttributeError):
        return Mark()


def texts_of(wanted: Wanted, template: str) -> Texts:
    """TEMPLATE: by its full name."""
    limits = {word: getattr(wanted, word) for word in LIMITS}
    said = {
        "template": template if wanted.has_template else None,
        **{
            word: as_limit(size) if word in SIZES else str(size)
            for word, size in limits.items()
            if size is not None
        },
        "gpus": None if wanted.gpus is None else str(wanted.gpus),
        "shares": None if wanted.shares is None else listed(wanted.shares),
        "keys": None if wanted.keys is None else listed(key.fingerprint for key in wanted.keys),
        "until": wanted.until,
        "mail": wanted.mail,
    }
    return {word: text for word, text in said.items() if text is not None}


def listed(names: Iterable[str]) -> str:
    return ",".join(sorted(names))


def split(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def shown(word: str, text: str | None) -> str:
    """TEXT of the field WORD, for people."""
    if text is None:
        return _UNSAID.get(word, "none")
    if word in SIZES:
        size = bytes_of(text)
        return text if size is None else format_size(size)
    if word == "keys":
        count = len(split(text))
        return f"{count or 'no'} key{'' if count == 1 else 's'}"
    if word == "until" and text == NEVER:
        return "no end"
    return text.replace(",", ", ") or "none"


_UNSAID: Final = {
    "cpus": "all",
    "memory": "no limit",
    "processes": "no limit",
    "disk": "no quota",
    "home": "no quota",
    "until": "no end",
}


def _texts(told: object) -> dict[str, str]:
    if not isinstance(told, dict):
        return {}
    return {str(key): value for key, value in told.items() if isinstance(value, str)}
