"""The apt sources of this machine: as its files say them, with what apt knows of each."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

from debian.deb822 import Deb822

from lab.machine.apt_lists import LISTS, is_plain, release_of

_OFF: Final = ("no", "false", "0", "off", "without", "disable")
_ON: Final = ("yes", "true", "1", "on", "with", "enable")
_LINE: Final = re.compile(
    r"\s*deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<rest>[^#]*).*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One source: a URI with one suite."""

    uri: str
    suite: str
    """As written: `bookworm`, `stable-security`."""
    components: tuple[str, ...]
    signed_by: str = ""
    """Files, fingerprints, or a key itself."""
    check_valid_until: bool = True
    trusted: bool = False
    """Taken unsigned."""
    origin: str = ""
    codename: str = ""
    """What its Release file says; empty where apt has not fetched it."""


def read_entries(root: Path, ask: Callable[[], str], *, fetched: Path = LISTS) -> tuple[Entry, ...]:
    """All enabled binary sources below ROOT, the distribution's own files first.

    What the archives say of themselves is read in FETCHED, where apt keeps it; where that tells
    nothing, ASK gives what `index_targets` does.
    """
    extra = root / "sources.list.d"
    lists = [root / "sources.list", extra / "debian.sources", extra / "ubuntu.sources"]
    lists += sorted(path for path in extra.glob("*") if path not in lists)
    found: list[Entry] = []
    for path in lists:
        if path.suffix not in (".list", ".sources") or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += _deb822(text) if path.suffix == ".sources" else _one_line(text)
    released = [release_of(entry.uri, entry.suite, fetched) for entry in found]
    if any(released) and all(is_plain(entry.uri) for entry in found):
        return tuple(_with(entry, said or {}) for entry, said in zip(found, released, strict=True))
    known = {_key(said["repo-uri"], said["release"]): said for said in _fetched(ask())}
    return tuple(_with(entry, known.get(_key(entry.uri, entry.suite), {})) for entry in found)


def index_targets() -> str:
    """What apt itself says of the sources that it has fetched; nothing on a machine without apt."""
    try:
        return subprocess.run(
            ["apt-get", "indextargets", "Created-By: Packages", "Target-Of: deb"],
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=30,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


index_targets_once = cache(index_targets)
"""It takes apt some 0.4 s to read all of its lists."""


def _fetched(targets: str) -> Iterator[Mapping[str, str]]:
    for said in _stanzas(targets):
        if {"repo-uri", "release"} <= said.keys():
            yield said


def _key(uri: str, suite: str) -> tuple[str, str]:
    return uri.rstrip("/"), suite


def _with(entry: Entry, said: Mapping[str, str]) -> Entry:
    return replace(entry, origin=said.get("origin", ""), codename=said.get("codename", ""))


def _one_line(text: str) -> Iterator[Entry]:
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        options = dict(
            part.split("=", 1) for part in (match["options"] or "").split() if "=" in part
        )
        yield _entry(match["uri"], match["suite"], match["rest"], options)


def _deb822(text: str) -> Iterator[Entry]:
    for fields in _stanzas(text):
        if "deb" not in fields.get("types", "").split():
            continue
        if fields.get("enabled", "yes").lower() in _OFF:
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield _entry(uri, suite, fields.get("components", ""), fields)


def _entry(uri: str, suite: str, components: str, options: Mapping[str, str]) -> Entry:
    """With those OPTIONS that decide whether apt takes a source at all."""
    return Entry(
        uri=uri,
        suite=suite,
        components=tuple(components.split()),
        signed_by=options.get("signed-by", "").strip(),
        check_valid_until=options.get("check-valid-until", "").lower() not in _OFF,
        trusted=options.get("trusted", "").lower() in _ON,
    )


def _stanzas(text: str) -> Iterator[Mapping[str, str]]:
    """Names in small letters; the lines of a value as they are, without their indentation."""
    # As lines, since a text without any may be taken for the name of a file.
    for stanza in Deb822.iter_paragraphs(text.splitlines()):
        yield {name.lower(): _unfolded(value) for name, value in stanza.items()}


def _unfolded(value: str) -> str:
    first, *more = (line.strip() for line in value.split("\n"))
    # A dot alone stands for an empty line.
    return "\n".join([first, *("" if line == "." else line for line in more)])
