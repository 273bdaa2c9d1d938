"""Which ssh keys a home was ever made with, so that keys not requested any more are revoked. Pure.

Kept with the home's volume (`user.lab.keys`), which stays when the container is removed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from lab import labels
from lab.instances.ssh_keys import is_fingerprint
from lab.lxd.model import Instance, Volume


def given(home: Volume | None, instance: Instance | None) -> frozenset[str]:
    """Fingerprints of what HOME remembers, and of what INSTANCE was made for."""
    kept = home.config.get(labels.KEYS, "") if home is not None else ""
    asked = instance.config.get(labels.REQUEST, "") if instance is not None else ""
    return frozenset(filter(is_fingerprint, (*kept.split(","), *keys_in(asked))))


def remembering(given: Iterable[str]) -> Mapping[str, str]:
    """The config of a home that was GIVEN to these."""
    value = ",".join(sorted(given))
    return {labels.KEYS: value} if value else {}


def keys_in(kept: str) -> tuple[str, ...]:
    """The fingerprints in KEPT, canonical; () where it cannot be read."""
    try:
        return tuple(str(each) for each in json.loads(kept)["keys"])
    except (ValueError, TypeError, KeyError):
        return ()
