"""Shares of lab.yaml, judged on this machine."""

from __future__ import annotations

from collections.abc import Sequence

from lab.errors import InputError
from lab.lxd.port import Lxd
from lab.settings.settings import Settings
from lab.settings.shares import ShareKind, ShareSettings
from lab.shares.ground import Ground
from lab.shares.sources import source_of
from provision.shares.sharing import Sharing, known


def read_sharings(
    names: Sequence[str], settings: Settings, lxd: Lxd, ground: Ground | None
) -> tuple[Sharing, ...]:
    """InputError where one of NAMES is not a share, or its directory cannot be one."""
    wanted = known(names, settings)
    if not wanted:
        return ()
    if not settings.is_local and not all(_is_lxds(settings.shares[one]) for one in wanted):
        raise InputError(
            f"LXD is on another machine ({settings.remote}), whose directories are not seen here.",
            fix="Run this command on that machine.",
        )
    here = ground or Ground()
    return tuple(_sharing(name, settings, lxd, here) for name in wanted)


def _sharing(name: str, settings: Settings, lxd: Lxd, ground: Ground) -> Sharing:
    share = settings.shares[name]
    return Sharing(
        name=name,
        kind=share.kind,
        place=share.place,
        source=source_of(share, settings, lxd, ground),
    )


def _is_lxds(share: ShareSettings) -> bool:
    """Whether nothing of it is the server's own business."""
    return share.volume is not None and share.kind is ShareKind.READ_ONLY
