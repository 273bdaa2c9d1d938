"""Which GPUs a container gets: who uses what, who may have it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lab.errors import CapacityError, InputError
from lab.gpus.devices import held_by
from lab.gpus.selection import GpuSelection
from lab.lxd.model import Gpu, Instance

Users = Mapping[str, tuple[str, ...]]
"""PCI address, or UUID of a part (`MIG-…`) → names of the instances that hold it."""

_WHO = "List the GPUs and their users: invoke host.gpus"
_NO_GPU = "This host has no NVIDIA GPU."


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    limit: int | None = None
    """How many containers may hold one GPU; None: any number."""


def users(instances: Iterable[Instance], gpus: Sequence[Gpu]) -> Users:
    """Who holds which GPU, running or not; an entry for every GPU and every part of one."""
    found: dict[str, list[str]] = {}
    for gpu in gpus:
        found.update({key: [] for key in (gpu.pci, *gpu.mig)})
    for instance in instances:
        for gpu in held_by(instance, gpus):
            for key in (gpu.pci, *gpu.mig):
                found[key].append(instance.name)
    return {key: tuple(sorted(names)) for key, names in found.items()}


def allocate(
    wish: GpuSelection, gpus: Sequence[Gpu], users: Users, policy: Policy, *, name: str
) -> tuple[Gpu, ...]:
    """The GPUs that NAME gets, in nvidia-smi's order. A part of a GPU comes as its GPU with
    that part alone in `mig`; a whole GPU with none.

    CapacityError when those who hold them leave no room, InputError for a GPU that is not there.
    """
    if wish.is_none:
        return ()
    if wish.named:
        chosen = _named(wish.named, gpus)
        crowded = [gpu for gpu in chosen if not _has_room(gpu, users, policy, name)]
        if crowded:
            raise _taken(crowded, gpus, users, policy)
        return chosen
    # Only the parts of a GPU that is split can be used.
    whole = [gpu for gpu in gpus if not gpu.mig]
    count = len(whole) if wish.everything else wish.count
    free = [gpu for gpu in whole if _has_room(gpu, users, policy, name)]
    if not whole or len(free) < count:
        raise _too_few(count, free, gpus, users, policy)
    free.sort(key=lambda gpu: _burden(gpu, users, name))
    return _in_order(free[:count], gpus)


def index_of(gpu: Gpu, gpus: Sequence[Gpu]) -> int:
    """The number that nvidia-smi shows. CARDS are the server's, as the port orders them."""
    return next(number for number, other in enumerate(gpus) if other.pci == gpu.pci)


def _named(selectors: Sequence[str], gpus: Sequence[Gpu]) -> tuple[Gpu, ...]:
    found: list[Gpu] = []
    for selector in selectors:
        gpu = _find(selector, gpus)
        if gpu is None:
            raise _unknown(selector, gpus)
        if not gpu.mig and (parts := gpus[index_of(gpu, gpus)].mig):
            raise _split(selector, parts)
        if gpu not in found:
            found.append(gpu)
    return _in_order(found, gpus)


def _find(selector: str, gpus: Sequence[Gpu]) -> Gpu | None:
    for number, gpu in enumerate(gpus):
        if selector in gpu.mig:
            return replace(gpu, mig=(selector,))
        if selector in {gpu.pci, gpu.uuid, f"idx:{number}"}:
            return replace(gpu, mig=())
    return None


def _has_room(gpu: Gpu, users: Users, policy: Policy, name: str) -> bool:
    holders = users.get(_key(gpu), ())
    return policy.limit is None or name in holders or len(holders) < policy.limit


def _burden(gpu: Gpu, users: Users, name: str) -> tuple[bool, int]:
    """The less, the sooner it is given; GPUs that NAME holds come first."""
    holders = users.get(gpu.pci, ())
    return name not in holders, len(holders)


def _in_order(chosen: Sequence[Gpu], gpus: Sequence[Gpu]) -> tuple[Gpu, ...]:
    return tuple(sorted(chosen, key=lambda gpu: (index_of(gpu, gpus), gpu.mig)))


def _key(gpu: Gpu) -> str:
    return gpu.mig[0] if gpu.mig else gpu.pci


def _unknown(selector: str, gpus: Sequence[Gpu]) -> InputError:
    lines = [f"{number}  {gpu.pci}  {gpu.uuid or '-'}" for number, gpu in enumerate(gpus)]
    lines += [f"   {part}  part of {gpu.pci}" for gpu in gpus for part in gpu.mig]
    if selector.startswith("MIG-"):
        lines.append("Parts of GPUs are known where labstamp runs on the host itself.")
    return InputError(
        f"There is no GPU {selector}.",
        details="\n".join(["There are:", *lines]) if gpus else _NO_GPU,
        fix=_WHO,
    )


def _split(selector: str, parts: Sequence[str]) -> InputError:
    return InputError(
        f"The GPU {selector} is split (MIG): only its parts can be used.",
        details="\n".join(parts),
        fix=f"Ask for a part: --gpus {parts[0]}",
    )


def _taken(
    crowded: Sequence[Gpu], gpus: Sequence[Gpu], users: Users, policy: Policy
) -> CapacityError:
    names = ", ".join(_key(gpu) for gpu in crowded)
    verb = "is" if len(crowded) == 1 else "are"
    return CapacityError(f"{names} {verb} taken.", details=_holders(gpus, users, policy), fix=_WHO)


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
        who = f"split into {len(gpu.mig)}" if gpu.mig else _names(gpu.pci, users)
        lines.append(f"{number}  {gpu.pci}  {who}")
        lines += [f"   {part}  {_names(part, users)}" for part in gpu.mig]
    if policy.limit is not None:
        many = "one container" if policy.limit == 1 else f"{policy.limit} containers"
        lines.append(f"`gpus:` in lab.yaml allows {many} per GPU.")
    return "\n".join(lines)


def _names(key: str, users: Users) -> str:
    return ", ".join(users.get(key, ())) or "free"
