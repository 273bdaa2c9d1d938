"""A person's snapshots, in the JSON shape of `invoke snapshots` (stable)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from lab.lxd.model import Volume
from lab.lxd.port import Lxd
from lab.settings.settings import Settings
from provision.managed import managed_container
from provision.restoring import home_of
from provision.snapshots.pairs import Pair, read_pairs
from provision.snapshots.schedule import schedule_of

_AT_ONCE: Final = 8


def snapshots(lxd: Lxd, settings: Settings, name: str) -> dict[str, Any]:
    """The oldest first. InputError when there is no container of labstamp's by NAME."""
    instance = managed_container(lxd, name)
    home = home_of(lxd, instance)
    pairs = read_pairs(lxd, instance, home)
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        sizes = pool.map(lambda pair: _home_size(lxd, home, pair), pairs)
        rows = [_row(pair, size) for pair, size in zip(pairs, sizes, strict=True)]
    schedule = schedule_of(settings.snapshots, instance)
    told = {"every": schedule.every.value, "keep": schedule.keep, "from": schedule.origin.value}
    return {"name": name, "schedule": told, "snapshots": rows}


def _row(pair: Pair, home_size: int | None) -> dict[str, Any]:
    taken = pair.taken_at
    return {
        "name": pair.name,
        "taken_at": taken.isoformat(timespec="seconds") if taken else None,
        "by": pair.by.value if pair.by else None,
        "command": pair.command,
        "root": pair.root is not None,
        "root_bytes": pair.root.size_bytes if pair.root else None,
        "home": pair.home is not None,
        "home_bytes": home_size,
    }


def _home_size(lxd: Lxd, home: Volume | None, pair: Pair) -> int | None:
    if home is None or pair.home is None:
        return None
    return lxd.volume_snapshot_used(home.pool, home.name, pair.name)
