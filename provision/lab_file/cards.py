"""GPUs of a whole file: who has what is asked for, and whether all of it can be given. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.errors import LabError
from lab.gpu_selection import GpuSelection
from lab.gpus.allocation import Policy, Users, allocate, index_of
from lab.lxd.model import Gpu, Grant


def is_held(wish: GpuSelection, held: Sequence[Grant], gpus: Sequence[Gpu]) -> bool:
    """Whether who has HELD of the server's GPUS has what WISH asks for."""
    if wish.everything:
        return {one.label for one in held} == {gpu.label for gpu in gpus if not gpu.parts}
    if not wish.named:
        return len(held) == wish.count
    called = [_names(one, gpus) for one in held]
    return len(held) == len(wish.named) and all(
        any(name in names for names in called) for name in wish.named
    )


def refused(
    wishes: Mapping[str, GpuSelection],
    leaving: Sequence[str],
    gpus: Sequence[Gpu],
    users: Users,
    policy: Policy,
) -> dict[str, LabError]:
    """Why some of WISHES, by container, cannot be given: what all of them had is given back first.

    LEAVING: containers that are removed.
    """
    movers = {*wishes, *leaving}
    now = {
        label: tuple(one for one in names if one not in movers) for label, names in users.items()
    }
    found: dict[str, LabError] = {}
    # Those who name theirs first: a count takes what is left.
    for name in sorted(wishes, key=lambda each: (not wishes[each].named, each)):
        try:
            given = allocate(wishes[name], gpus, now, policy, name=name)
        except LabError as error:
            found[name] = error
            continue
        for label in {label for one in given for label in (one.pci, one.label)}:
            now[label] = (*now.get(label, ()), name)
    return found


def _names(grant: Grant, gpus: Sequence[Gpu]) -> set[str | None]:
    if not any(gpu.pci == grant.pci for gpu in gpus):
        return {grant.label, grant.uuid}
    return {grant.label, grant.uuid, f"idx:{index_of(grant, gpus)}"}
