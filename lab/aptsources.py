"""The mirrors that this machine's own apt uses; so no host name is written into the project."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.hostfacts import os_release


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrors:
    """Where a distribution's packages come from; None where nobody says."""

    main: str | None = None
    security: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One source: a URI with one suite."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""


def host_mirrors(family: str, codename: str, root: Path = Path("/etc/apt")) -> Mirrors:
    """The mirrors of FAMILY in ROOT's sources: those of CODENAME, else those of the host's own.

    A mirror has all releases of its family, so the host's serves another release, too.
    """
    entries = [entry for entry in read_entries(root) if _is_archive(entry, family)]
    host = os_release(root.parent / "os-release")
    names = [codename]
    if host.get("ID") == family and host.get("VERSION_CODENAME"):
        names.append(host["VERSION_CODENAME"])
    return Mirrors(
        main=_first(entries, names),
        security=_first(entries, [f"{name}-security" for name in names]),
    )


def read_entries(root: Path) -> tuple[Entry, ...]:
    """All enabled binary sources below ROOT, the distribution's own files first."""
    extra = root / "sources.list.d"
    lists = [root / "sources.list", extra / "debian.sources", extra / "ubuntu.sources"]
    lists += sorted(path for path in extra.glob("*") if path not in lists)
    found: list[Entry] = []
    for path in lists:
        if path.suffix not in (".list", ".sources") or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += _deb822(text) if path.suffix == ".sources" else _one_line(text)
    return tuple(found)


def _one_line(text: str) -> Iterator[Entry]:
    for line in text.splitlines():
        match = re.fullmatch(
            r"\s*deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<rest>[^#]*).*",
            line,
        )
        if match is None:
            continue
        signed = re.search(r"signed-by=(\S+)", match["options"] or "")
        yield Entry(
            uri=match["uri"],
            suite=match["suite"],
            components=tuple(match["rest"].split()),
            signed_by=signed[1] if signed else "",
        )


def _deb822(text: str) -> Iterator[Entry]:
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", kept):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split():
            continue
        if fields.get("enabled", "yes").lower() in ("no", "false", "0", "off", "without"):
            continue
        for uri in fields.get("uris", "").split()[:1]:
            for suite in fields.get("suites", "").split():
                yield Entry(
                    uri=uri,
                    suite=suite,
                    components=tuple(fields.get("components", "").split()),
                    signed_by=fields.get("signed-by", ""),
                )


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line[:1].isspace():
            fields[name] = f"{fields.get(name, '')} {line.strip()}"
        else:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def _is_archive(entry: Entry, family: str) -> bool:
    """Whether ENTRY is FAMILY's archive, not a third party that uses the same suite names."""
    ours = not entry.signed_by or f"{family}-archive" in entry.signed_by
    return ours and "main" in entry.components


def _first(entries: Iterable[Entry], suites: Iterable[str]) -> str | None:
    known = list(entries)
    for suite in suites:
        for entry in known:
            uri = _resolved(entry.uri)
            if entry.suite == suite and uri is not None:
                return uri
    return None


def _resolved(uri: str) -> str | None:
    """An http(s) URI; cloud images name a file that lists mirrors instead."""
    if uri.startswith("mirror+file:"):
        try:
            lines = Path(uri.removeprefix("mirror+file:")).read_text(encoding="utf-8").split("\n")
        except OSError:
            return None
        uri = next((line.split()[0] for line in lines if line.startswith("http")), "")
    return uri.rstrip("/") if uri.startswith(("http://", "https://")) else None
