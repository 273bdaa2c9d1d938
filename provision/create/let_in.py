"""The keys that let somebody in, and those that do not any more. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from provision.create.actions import GiveKeys
from provision.create.request import Request
from provision.keys.public_key import fingerprint


def keys_for(name: str, account: str, lines: Sequence[str], known: frozenset[str]) -> GiveKeys:
    """Those of LINES let in, the others that are KNOWN do not."""
    revoked = known - set(map(fingerprint, lines))
    return GiveKeys(name=name, account=account, keys=tuple(lines), revoked=tuple(sorted(revoked)))


def asked_for(request: Request) -> frozenset[str]:
    return frozenset(map(fingerprint, request.keys))
