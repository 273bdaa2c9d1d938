"""How containers are right now: told by this machine's kernel, or by LXD where it does not tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from typing import Final

from lab.errors import LxdError, LxdUnreachable, NotFound
from lab.lxd.model import Instance, InstanceState, Volume
from lab.lxd.port import Lxd

_LOOKS_AT_ONCE: Final = 32
"""More than there are likely to be that LXD is stuck with."""


class Teller(str, Enum):
    KERNEL = "kernel"
    LXD = "lxd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    instance: Instance
    state: InstanceState
    told_by: Teller | None = None
    """None where nobody could tell."""
    trouble: str | None = None
    """Why nobody could."""


def seen(lxd: Lxd, instances: Sequence[Instance]) -> tuple[Seen, ...]:
    """Each of INSTANCES, but one that vanishes meanwhile is left out."""
    told = lxd.local_states(instances)
    with ThreadPoolExecutor(max_workers=_LOOKS_AT_ONCE) as pool:
        found = pool.map(lambda instance: _seen_or_trouble(lxd, instance, told), instances)
        return tuple(one for one in found if one is not None)


def seen_alone(lxd: Lxd, instance: Instance) -> Seen:
    """LxdError where LXD has to be asked, and does not tell."""
    return _seen(lxd, instance, lxd.local_states((instance,)))


def _seen(lxd: Lxd, instance: Instance, told: Mapping[str, InstanceState]) -> Seen:
    state = told.get(instance.name)
    if state is not None:
        return Seen(instance=instance, state=state, told_by=Teller.KERNEL)
    return Seen(instance=instance, state=lxd.state(instance.name), told_by=Teller.LXD)


def _seen_or_trouble(
    lxd: Lxd, instance: Instance, told: Mapping[str, InstanceState]
) -> Seen | None:
    """None when it vanished meanwhile."""
    try:
        return _seen(lxd, instance, told)
    except NotFound:
        return None
    except LxdUnreachable:
        raise
    except LxdError as error:
        # Said beside its name: the others are to be seen all the same.
        unknown = InstanceState(state=instance.state)
        return Seen(instance=instance, state=unknown, trouble=error.brief)


def volume_sizes(lxd: Lxd, pools: Iterable[str]) -> Mapping[tuple[str, str], str | None]:
    """The size that LXD keeps for each volume of POOLS, by pool and name.

    None of them of a pool that LXD cannot list: the rest is to be seen all the same.
    """
    found = (volume for pool in sorted(set(pools)) for volume in _volumes(lxd, pool))
    return {(volume.pool, volume.name): volume.config.get("size") for volume in found}


def _volumes(lxd: Lxd, pool: str) -> tuple[Volume, ...]:
    try:
        return lxd.volumes(pool)
    except LxdUnreachable:
        raise
    except LxdError:
        return ()
