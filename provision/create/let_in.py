"""The keys that let somebody in, and those that do not any more. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from provision.create.actions import GiveKeys
from provision.create.request import Request
from provision.keys.public_key import PublicKey


def keys_for(name: str, account: str, keys: Sequence[PublicKey], known: frozenset[str]) -> GiveKeys:
    """KEYS let in, the others that are KNOWN, fingerprints, do not."""
    revoked = known - {key.fingerprint for key in keys}
    return GiveKeys(name=name, account=account, keys=tuple(keys), revoked=tuple(sorted(revoked)))


def asked_for(request: Request) -> frozenset[str]:
    return frozenset(key.fingerprint for key in request.keys)
