"""Recipes: everything that decides what an image holds, hashed, and told apart in words. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lab.urls import without_password

PIPELINE = "2"
"""Raised whenever the pipeline's own code changes what it makes of the same inputs."""

PARENT = "parent "
"""Prefix of the input that holds the parent's recipe id."""

_HASHED = re.compile(r"^sha:[0-9a-f]{12}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """INPUTS: name → `sha:…` of a content, or a short plain value (a version, a time zone)."""

    inputs: Mapping[str, str]

    @property
    def id(self) -> str:
        """16 hex digits; the same inputs give the same id on every machine."""
        canonical = json.dumps(dict(self.inputs), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def extended(self, more: Mapping[str, str]) -> Recipe:
        return Recipe(inputs={**self.inputs, **more})


def content(data: bytes | str | object) -> str:
    """The input value for a file's bytes, a text, or anything that JSON can say."""
    if isinstance(data, str):
        data = data.encode()
    elif not isinstance(data, bytes):
        data = json.dumps(data, sort_keys=True, separators=(",", ":"), default=str).encode()
    return "sha:" + hashlib.sha256(data).hexdigest()[:12]


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """Why NEW needs a build where OLD was built, in the words of an admin."""
    told = [
        _change(name, old.get(name), new.get(name))
        for name in sorted({*old, *new}, key=_causes_first)
        if old.get(name) != new.get(name)
    ]
    if not told:
        return "nothing changed"
    # The rendered text changes with every source of it: worth a word only by itself.
    causes = [text for text in told if not text.startswith("rendered ")] or told
    shown = causes[:3]
    more = len(causes) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _causes_first(name: str) -> tuple[int, str]:
    order = 0 if "/" in name else 2 if name.startswith("rendered") else 1
    return order, name


def _change(name: str, old: str | None, new: str | None) -> str:
    if old is None:
        return f"{name} added"
    if new is None:
        return f"{name} removed"
    if name.startswith(PARENT):
        return f"{name.removeprefix(PARENT)} changed"
    if _HASHED.match(old) or _HASHED.match(new):
        return f"{name} changed"
    # Earlier releases have passwords in theirs.
    return without_password(f"{name} {old or 'none'} → {new or 'none'}")
