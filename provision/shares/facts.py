"""Shares of lab.yaml, judged on this machine."""

from __future__ import annotations

from collections.abc import Sequence

from lab.errors import InputError
from lab.settings.settings import Settings
from lab.shares.ground import Ground, judged
from provision.shares.sharing import Sharing, known


def read_sharings(
    names: Sequence[str], settings: Settings, ground: Ground | None
) -> tuple[Sharing, ...]:
    """InputError where one of NAMES is not a share, or its directory cannot be one."""
    wanted = known(names, settings)
    if not wanted:
        return ()
    if not settings.is_local:
        raise InputError(
            f"LXD is on another machine ({settings.remote}), whose directories are not seen here.",
            fix="Run this command on that machine.",
        )
    here = ground or Ground()
    return tuple(_sharing(name, settings, here) for name in wanted)


def _sharing(name: str, settings: Settings, ground: Ground) -> Sharing:
    share = settings.shares[name]
    return Sharing(
        name=name,
        kind=share.kind,
        place=share.place,
        source=judged(share.path, settings.share_paths, share.kind, ground),
    )
