"""Which GPUs a container gets: who uses what, who may have it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lab.errors import CapacityError, InputError
from lab.gpu_selection import GpuSelection
from lab.gpus.devices import held_by, with_parts
from lab.lxd.model import Gpu, Grant, Instance, MigPart

Users = Mapping[str, tuple[str, ...]]
"""Label of a GPU or a part → names of the instances that hold it."""

_WHO = "List the GPUs and their users: invoke host.gpus"
_NO_GPU = "This host has no NVIDIA GPU."


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    limit: int | None = None
    """How many containers may hold one GPU; None: any number."""


def users(instances: Iterable[Instance], gpus: Sequence[Gpu]) -> Users:
    """Who holds which GPU, running or not; an entry for every GPU and every part of one."""
    found: dict[str, list[str]] = {one.label: [] for one in with_parts(gpus)}
    for instance in instances:
        held = held_by(instance, gpus)
        # Who holds a part is a user of its GPU, too.
        for key in {key for grant in held for key in (grant.pci, grant.label)}:
            found[key].append(instance.name)
    return {key: tuple(sorted(names)) for key, names in found.items()}


def allocate(
    wish: GpuSelection, gpus: Sequence[Gpu], users: Users, policy: Policy, *, name: str
) -> tuple[Grant, ...]:
    """What NAME gets, in nvidia-smi's order. Of a GPU that is split, parts alone.

    CapacityError when those who hold them leave no room, InputError for a GPU that is not there.
    """
    if wish.is_none:
        return ()
    if wish.named:
        chosen = _named(wish.named, gpus)
        crowded = [one for one in chosen if not _has_room(one, users, policy, name)]
        if crowded:
            raise _taken(crowded, gpus, users, policy)
        return chosen
    # Only the parts of a GPU that is split can be used.
    whole = [gpu for gpu in gpus if not gpu.parts]
    count = len(whole) if wish.everything else wish.count
    free = [gpu for gpu in whole if _has_room(gpu, users, policy, name)]
    if not whole or len(free) < count:
        raise _too_few(count, free, gpus, users, policy)
    free.sort(key=lambda gpu: _burden(gpu, users, name))
    return _in_order(free[:count], gpus)


def index_of(grant: Grant, gpus: Sequence[Gpu]) -> int:
    """The number that nvidia-smi shows. GPUS are the server's, as the port orders them."""
    return next(number for number, gpu in enumerate(gpus) if gpu.pci == grant.pci)


def _named(selectors: Sequence[str], gpus: Sequence[Gpu]) -> tuple[Grant, ...]:
    found = {_find(selector, gpus) for selector in selectors}
    return _in_order(found, gpus)


def _find(selector: str, gpus: Sequence[Gpu]) -> Grant:
    for number, gpu in enumerate(gpus):
        for part in gpu.parts:
            if selector == part.uuid:
                return part
        if selector in {gpu.pci, gpu.uuid, f"idx:{number}"}:
            if gpu.parts:
                raise _split(selector, gpu.parts)
            return gpu
    raise _unknown(selector, gpus)


def _has_room(grant: Grant, users: Users, policy: Policy, name: str) -> bool:
    holders = users.get(grant.label, ())
    return policy.limit is None or name in holders or len(holders) < policy.limit


def _burden(gpu: Gpu, users: Users, name: str) -> tuple[bool, int]:
    """The less, the sooner it is given; GPUs that NAME holds come first."""
    holders = users.get(gpu.label, ())
    return name not in holders, len(holders)


def _in_order(chosen: Iterable[Grant], gpus: Sequence[Gpu]) -> tuple[Grant, ...]:
    return tuple(sorted(chosen, key=lambda one: (index_of(one, gpus), one.label)))


def _unknown(selector: str, gpus: Sequence[Gpu]) -> InputError:
    lines = [f"{number}  {gpu.pci}  {gpu.uuid or '-'}" for number, gpu in enumerate(gpus)]
    lines += [f"   {part.label}  part of {gpu.pci}" for gpu in gpus for part in gpu.parts]
    if selector.startswith("MIG-"):
        lines.append("labstamp finds parts of GPUs (MIG) only if it runs on the GPU host itself.")
    return InputError(
        f"There is no GPU {selector}.",
        details="\n".join(["The host has:", *lines]) if gpus else _NO_GPU,
        fix=_WHO,
    )


def _split(selector: str, parts: Sequence[MigPart]) -> InputError:
    return InputError(
        f"The GPU {selector} is split (MIG): only its parts can be used.",
        details="\n".join(part.label for part in parts),
        fix=f"Ask for a part: --gpus {parts[0].label}",
    )


def _taken(
    crowded: Sequence[Grant], gpus: Sequence[Gpu], users: Users, policy: Policy
) -> CapacityError:
    names = ", ".join(one.label for one in crowded)
    verb = "is" if len(crowded) == 1 else "are"
    return CapacityError(f"{names} {verb} in use.", details=_holders(gpus, users, policy), fix=_WHO)


def _too_few(
    count: int, free: Sequence[Gpu], gpus: Sequence[Gpu], users: Users, policy: Policy
) -> CapacityError:
    if not gpus:
        return CapacityError(_NO_GPU, fix="Leave --gpus out, or ask for none: --gpus none")
    wanted = "1 GPU is" if count == 1 else f"{count or 'All'} GPUs are"
    return CapacityError(
        f"{wanted} requested, {len(free) or 'none'} available.",
        details=_holders(gpus, users, policy),
        fix=_WHO,
    )


def _holders(gpus: Sequence[Gpu], users: Users, policy: Policy) -> str:
    lines = []
    for number, gpu in enumerate(gpus):
        who = f"split into {len(gpu.parts)}" if gpu.parts else _names(gpu, users)
        lines.append(f"{number}  {gpu.pci}  {who}")
        lines += [f"   {part.label}  {_names(part, users)}" for part in gpu.parts]
    if policy.limit is not None:
        many = "one container" if policy.limit == 1 else f"{policy.limit} containers"
        lines.append(f"`gpus:` in lab.yaml allows {many} per GPU.")
    return "\n".join(lines)


def _names(grant: Grant, users: Users) -> str:
    return ", ".join(users.get(grant.label, ())) or "free"
