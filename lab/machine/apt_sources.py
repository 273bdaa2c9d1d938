"""The mirrors that this machine's own apt uses; so no host name is written into the project."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lab.machine.apt_entries import Entry, index_targets_once, read_entries
from lab.machine.host import os_release
from lab.urls import is_loopback, without_password

_MOVING: Final = ("stable", "oldstable", "testing", "unstable", "sid", "devel", "rolling")
_SECURITY: Final = "-security"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms a mirror's packages are taken: apt's own, or those of this machine's admin."""

    key: bytes | None = None
    """What signs it, where that is not the distribution."""
    check_valid_until: bool = True
    trusted: bool = False

    def remarks(self, uri: str) -> Iterator[str]:
        """What differs from the usual, for people."""
        if self.key is not None:
            yield f"{uri} is signed with a separate key, which is copied into the images."
        if not self.check_valid_until:
            yield f"{uri}: expired package lists are accepted, as on this host."
        if self.trusted:
            yield f"{uri}: unsigned packages are accepted, as on this host."


USUAL: Final = Terms()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrors:
    """Where a distribution's packages come from; None where nobody says."""

    main: str | None = None
    security: str | None = None
    main_terms: Terms = field(default=USUAL)
    security_terms: Terms = field(default=USUAL)
    unusable: tuple[str, ...] = ()
    """Why sources of the host are left out, for people."""

    def instead(self, main: str | None, security: str | None) -> Mirrors:
        """With the mirrors of the settings where there are any."""
        kept_main = main in (None, self.main)
        kept_security = security in (None, self.security)
        return Mirrors(
            main=main or self.main,
            security=security or self.security,
            main_terms=self.main_terms if kept_main else USUAL,
            security_terms=self.security_terms if kept_security else USUAL,
            unusable=self.unusable,
        )

    def remarks(self) -> tuple[str, ...]:
        """What is unusual about them, each once."""
        both = ((self.main, self.main_terms), (self.security, self.security_terms))
        found = [r for uri, terms in both if uri for r in terms.remarks(without_password(uri))]
        return tuple(dict.fromkeys(found))


def host_mirrors(
    family: str,
    codename: str,
    root: Path = Path("/etc/apt"),
    ask: Callable[[], str] = index_targets_once,
) -> Mirrors:
    """The mirrors of FAMILY in ROOT's sources: those of CODENAME, else those of the host's own.

    A mirror has all releases of its family, so the host's serves another release, too. What a
    source is the archive of is told by its Release file, which apt has; before it has fetched that,
    by names and keys alone.
    """
    entries = [one for one in read_entries(root, ask) if "main" in one.components]
    host = os_release(root.parent / "os-release")
    names = [codename]
    if host.get("ID") == family:
        names += [host.get("VERSION_CODENAME", ""), *_MOVING]
    unusable: list[str] = []
    main = _first(_ranked(entries, family, names, ""), unusable)
    security = _first(_ranked(entries, family, names, _SECURITY), unusable)
    return Mirrors(
        main=main[0] if main else None,
        security=security[0] if security else None,
        main_terms=_terms(main[1], family) if main else USUAL,
        security_terms=_terms(security[1], family) if security else USUAL,
        unusable=tuple(dict.fromkeys(unusable)),
    )


def _ranked(
    entries: Iterable[Entry], family: str, names: Iterable[str], kind: str
) -> Iterator[Entry]:
    """The entries of FAMILY's archive of this KIND, for the first of NAMES first."""
    known = list(entries)
    for suits in (_by_its_word, _by_its_key):
        is_managed = [one for one in known if suits(one, family)]
        for name in filter(None, names):
            for one in is_managed:
                if f"{name}{kind}" in (one.suite, _full(one, kind)):
                    yield one


def _full(entry: Entry, kind: str) -> str:
    """`bookworm-security` of a suite `oldstable-security`, also where the codename is bookworm."""
    if not entry.suite.endswith(kind) or (not kind and "-" in entry.suite):
        return ""
    return entry.codename.removesuffix(kind) + kind if entry.codename else ""


def _by_its_word(entry: Entry, family: str) -> bool:
    return entry.origin.lower() == family


def _by_its_key(entry: Entry, family: str) -> bool:
    """Not a third party that uses the same suite names."""
    return not entry.signed_by or f"{family}-archive" in entry.signed_by


def _first(entries: Iterable[Entry], unusable: list[str]) -> tuple[str, Entry] | None:
    for entry in entries:
        for uri in _addresses(entry.uri):
            if is_loopback(uri):
                shown = without_password(uri)
                unusable.append(f"containers cannot reach {shown}, a loopback address of this host")
                continue
            return uri, entry
    return None


def _addresses(uri: str) -> Iterator[str]:
    """http(s) URIs; cloud images name a file that lists mirrors instead."""
    uris = [uri]
    if uri.startswith(("mirror+file:", "mirror:file:")):
        try:
            text = Path(uri.partition("file:")[2]).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
        uris = [line.split()[0] for line in text.splitlines() if line.strip()]
    for each in uris:
        if each.startswith(("http://", "https://")):
            yield each.rstrip("/")


def _terms(entry: Entry, family: str) -> Terms:
    return Terms(
        key=_key(entry.signed_by, family),
        check_valid_until=entry.check_valid_until,
        trusted=entry.trusted,
    )


def _key(signed_by: str, family: str) -> bytes | None:
    """The key itself; None for the distribution's own, and where only a fingerprint is named."""
    if "-----BEGIN" in signed_by:
        return (signed_by.strip() + "\n").encode()
    for word in signed_by.replace(",", " ").split():
        path = Path(word)
        if path.is_absolute() and f"{family}-archive" not in path.name:
            try:
                return path.read_bytes()
            except OSError:
                return None
    return None
