"""What is there as containers.yaml, such that `apply` finds nothing to do."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from lab import labels
from lab.errors import InputError
from lab.lxd.model import MigPart
from lab.lxd.port import Lxd
from lab.settings.settings import Settings
from lab.yaml.problems import shown
from provision.expiring import NEVER
from provision.lab_file.facts import read
from provision.lab_file.present import Present
from provision.lab_file.texts import LIMITS, SIZES, split
from provision.limits import bytes_of

_HEAD: Final = """\
# The containers of the lab, as they were when `invoke export-lab` wrote this file. From now on,
# change this file, and have `invoke apply` change the containers; `invoke apply --plan` shows how.
# Passwords are not in it, nor what users have in their containers.
"""
_COMMON: Final = 2
"""A size of so many containers gets a name."""


def lab_text(lxd: Lxd, settings: Settings) -> str:
    """The whole file."""
    facts = read(lxd, settings, ())
    every = [facts.present(name) for name in facts.containers]
    ready = [one for one in every if one.obstacle is None and not one.is_half_made]
    left_out = [one for one in every if one not in ready]
    return text_of(ready, left_out)


def text_of(ready: Sequence[Present], left_out: Sequence[Present] = ()) -> str:
    sizes = _named_sizes(ready)
    document: dict[str, Any] = {}
    if sizes:
        document["sizes"] = {name: dict(size) for size, name in sizes.items()}
    document["containers"] = {one.name: _entry(one, sizes) for one in ready}
    lines = [f"# Not in it: {one.name}, {one.obstacle or 'which is half made'}" for one in left_out]
    body = yaml.safe_dump(
        document, sort_keys=False, allow_unicode=True, width=4096, default_flow_style=None
    )
    return "\n".join([_HEAD.rstrip("\n"), *lines, body])


def write(text: str, path: Path, *, force: bool) -> None:
    """InputError where there is such a file: it may say more than LXD knows."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        with os.fdopen(os.open(path, flags, 0o644), "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise InputError(
            f"{shown(path)} exists; nothing was written.",
            details="Groups, reasons and notes that are in it are not in LXD.",
            fix="Name another file, or overwrite it: --force",
        ) from error
    except OSError as error:
        raise InputError(
            f"{shown(path)} cannot be written.",
            details=error.strerror,
            fix="Name another file: invoke export-lab FILE",
        ) from error


Size = tuple[tuple[str, Any], ...]


def _named_sizes(every: Iterable[Present]) -> dict[Size, str]:
    """A name for each size that several have: by their order, `size-1` is the most common."""
    count: dict[Size, int] = {}
    for one in every:
        size = _limits(one)
        if size:
            count[size] = count.get(size, 0) + 1
    common = sorted((size for size in count if count[size] >= _COMMON), key=lambda s: -count[s])
    return {size: f"size-{number}" for number, size in enumerate(common, start=1)}


def _limits(one: Present) -> Size:
    found: list[tuple[str, Any]] = []
    for word in LIMITS:
        text = one.texts.get(word)
        if text is None or (word in SIZES and bytes_of(text) is None):
            continue
        found.append((word, text if word in SIZES else int(text)))
    return tuple(found)


def _entry(one: Present, sizes: Mapping[Size, str]) -> dict[str, Any]:
    limits, texts = _limits(one), one.texts
    entry: dict[str, Any] = {"template": texts["template"]} if "template" in texts else {}
    entry |= {"size": sizes[limits]} if limits in sizes else dict(limits)
    entry["gpus"] = _gpus(one)
    entry["shares"] = list(split(texts["shares"]))
    if texts["until"] != NEVER:
        entry["until"] = texts["until"]
    entry["people"] = {one.account: _person(one)}
    return entry


def _gpus(one: Present) -> int | str:
    """A count: which ones does not matter, but for parts of some."""
    if any(isinstance(grant, MigPart) for grant in one.held):
        return ",".join(grant.label for grant in one.held)
    return len(one.held)


def _person(one: Present) -> dict[str, Any]:
    keys, mail = one.public_keys, one.noted.get(labels.MAIL)
    return {
        **({"keys": [key.line for key in keys]} if keys else {}),
        **({"mail": mail} if mail else {}),
    }
