"""The ssh keys that containers.yaml names, read side by side: some of them are on the web."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final

from lab.errors import InputError, LabError
from lab.yaml.problems import Problem
from provision.keys.key_urls import fetch_keys, url_of
from provision.keys.public_key import PublicKey, looks_like_key
from provision.keys.ssh_keys import read_keys
from provision.lab_file.wanted import Wanted

_AT_ONCE: Final = 8


def with_keys(
    every: Sequence[Wanted],
    *,
    warn: Callable[[str], None],
    fetch: Callable[[str], bytes] = fetch_keys,
) -> tuple[tuple[Wanted, ...], tuple[Problem, ...]]:
    """EVERY with its keys, and what is wrong with some."""

    def read(one: Wanted) -> Wanted | Problem:
        try:
            return replace(one, keys=_keys(one, warn, fetch))
        except LabError as error:
            return one.problem(error.brief + "".join(f"; {line}" for line in _lines(error)))

    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        found = list(pool.map(read, every))
    return (
        tuple(one for one in found if isinstance(one, Wanted)),
        tuple(one for one in found if isinstance(one, Problem)),
    )


def _lines(error: LabError) -> list[str]:
    return (error.details or "").splitlines()


def _keys(
    one: Wanted, warn: Callable[[str], None], fetch: Callable[[str], bytes]
) -> tuple[PublicKey, ...] | None:
    if one.key_sources is None:
        return None
    sources = [_placed(source, one.path.absolute().parent) for source in one.key_sources]
    return read_keys(
        sources, io.BytesIO(), warn=lambda text: warn(f"{one.name}: {text}"), fetch=fetch
    )


def _placed(source: str, base: Path) -> str:
    """A file's SOURCE by its whole path. InputError for what is no file, and may never end."""
    if looks_like_key(source) or url_of(source):
        return source
    try:
        path = base / Path(source).expanduser()
    except RuntimeError as error:
        raise InputError(f"There is no key file {source}.", details=str(error)) from error
    if path.exists() and not path.is_file():
        raise InputError(f"{source} is not a file, so it is not an ssh public key.")
    return str(path)
