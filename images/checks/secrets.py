"""Judging what an image holds that should be each container's own, and what gives a power that no
package brought. Pure but for `look_in`.

That nothing of a boot gets into an image is seen to where it is made (lab.instances.at_rest). This
is the judge beside it: it knows no names of files, and looks at what was published, not at its
builder.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from images.checks.verdict import Verdict
from images.context import BuildContext
from lab.errors import CommandTimeout
from lab.lxd.model import Completed, Image

NAME: Final = "secrets"
"""Of the verdict that every image gets, whatever its definition asks for."""
SPECIAL: Final = "special"
"""The same: of device nodes, set-uid programs and capabilities."""
CLEANED: Final = "lab.cleaned"
"""Property of a release: when the cleaning of its builder began, in seconds since 1970."""

_SCRIPT: Final = "look.py"
_SECONDS: Final = 120
_HARMLESS: Final = frozenset(
    {
        # Which libraries there are, and nothing else (ldconfig's `-C`); made by each installation.
        "/var/cache/ldconfig/aux-cache",
    }
)
_ONE_S_OWN: Final = frozenset({"private key", "token", "random bytes"})
"""Signs of what two instances never have in common. Modes alone are alike everywhere."""
_MOST: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What `look.py` found: SIGNS and digests by path; FAILED: why it could not look.

    SPECIAL: path → power.
    """

    signs: Mapping[str, str]
    digests: Mapping[str, str]
    special: Mapping[str, str] = field(default_factory=dict)
    failed: str = ""


def look_in(context: BuildContext, name: str, span: Iterable[str] = ()) -> Look:
    """What looks secret in NAME, or was written within SPAN (see `span_of`)."""
    path = f"/run/labstamp/{_SCRIPT}"
    context.build.write_file(name, path, (context.scripts / _SCRIPT).read_bytes(), mode=0o700)
    try:
        return read(context.build.run(name, ["python3", "-I", path, *span], timeout=_SECONDS))
    except CommandTimeout as error:
        return Look(signs={}, digests={}, failed=error.brief)


def span_of(image: Image) -> tuple[str, ...]:
    """From IMAGE's cleaning to its publishing: when nothing may have been written.

    Empty for a release that does not tell. Files that LXD writes into an instance are later.
    """
    cleaned = image.properties.get(CLEANED)
    return (cleaned, f"{image.created_at.timestamp():.9f}") if cleaned else ()


def read(said: Completed) -> Look:
    """What the script printed."""
    try:
        found = json.loads(said.stdout) if said.exit_code == 0 else None
    except ValueError:
        found = None
    if found is None:
        last = (said.stderr.strip() or said.stdout.strip() or "no output").splitlines()[-1]
        return Look(signs={}, digests={}, failed=last)
    return Look(
        signs={one["path"]: one["sign"] for one in found if "sign" in one},
        digests={one["path"]: one["sha256"] for one in found if "sign" in one},
        special={one["path"]: one["special"] for one in found if "special" in one},
    )


def verdict(fresh: Look, booted: Iterable[Look], allowed: Collection[str]) -> Verdict:
    """FRESH: the image before its first boot. BOOTED: instances of it, afterwards.

    ALLOWED are paths that the template's author names (`allow-secrets:`).
    """
    why = _unreadable((fresh, *booted)) or _in_image(fresh, allowed) or _common(booted, allowed)
    return Verdict(name=NAME, passed=not why, why=why)


def special_verdict(fresh: Look, allowed: Collection[str]) -> Verdict:
    """Of the image before its first boot. ALLOWED: what its author names (`allow-special:`)."""
    found = [f"{path} ({power})" for path, power in fresh.special.items() if path not in allowed]
    why = _unreadable((fresh,)) or (
        f"these belong to no package: {_listed(sorted(found))}" if found else ""
    )
    return Verdict(name=SPECIAL, passed=not why, why=why)


def _unreadable(looks: Iterable[Look]) -> str:
    return next(
        (f"the instance could not be checked: {one.failed}" for one in looks if one.failed), ""
    )


def _in_image(fresh: Look, allowed: Collection[str]) -> str:
    found = [
        f"{path} ({sign})"
        for path, sign in sorted(fresh.signs.items(), key=_worst_first)
        if path not in _HARMLESS and path not in allowed
    ]
    return f"every container would have the same {_listed(found)}" if found else ""


def _common(booted: Iterable[Look], allowed: Collection[str]) -> str:
    looks = tuple(booted)
    if len(looks) < 2:
        return ""
    first, second = looks[0], looks[1]
    others = {digest for path, digest in second.digests.items() if _is_own(second, path)}
    found = [
        f"{path} ({first.signs[path]})"
        for path, digest in sorted(first.digests.items())
        if _is_own(first, path) and digest in others and path not in allowed
    ]
    return f"two instances have the same {_listed(found)}" if found else ""


def _worst_first(found: tuple[str, str]) -> tuple[bool, str]:
    path, sign = found
    return sign not in _ONE_S_OWN, path


def _is_own(look: Look, path: str) -> bool:
    return look.signs[path] in _ONE_S_OWN and bool(look.digests[path])


def _listed(found: list[str]) -> str:
    more = len(found) - _MOST
    return ", ".join(found[:_MOST]) + (f" and {more} more" if more > 0 else "")
