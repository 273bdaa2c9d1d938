"""Findings about those that have GPUs: their nodes, how their GPUs were chosen, where these are.

Pure. One finding for each container that something is wrong with, or one that says all are well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from shlex import quote

from host.check.gpu_users import GpuUser
from host.finding import Finding, Status
from lab.gpus.allocation import users
from lab.gpus.devices import held_by
from lab.gpus.missing import missing
from lab.lxd.model import Gpu, Server

_CDI = "nvidia.com/"
_UVM = "nvidia-uvm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What containers are held against."""

    gpus: tuple[Gpu, ...]
    server: Server
    drm: Mapping[str, str]
    """What LXD calls `id` → PCI address; empty for an LXD elsewhere."""


def findings(everyone: Sequence[GpuUser], scene: Scene) -> Iterator[Finding]:
    for name, judge, fine in (
        ("cards-there", _gpus_there, "every GPU that was given is in its slot"),
        ("cards-by-address", _by_address, "every GPU was given by its address"),
        ("container-nodes", _nodes, "every running container with GPUs has /dev/nvidia-uvm"),
    ):
        found = [one for user in everyone for one in judge(name, user, everyone, scene)]
        yield from found or [
            Finding(name=name, found=fine if everyone else "no container has a GPU")
        ]


_Judge = Callable[[str, GpuUser, Sequence[GpuUser], Scene], Iterator[Finding]]


def _nodes(
    name: str, user: GpuUser, _everyone: Sequence[GpuUser], scene: Scene
) -> Iterator[Finding]:
    if not scene.gpus or user.nodes is None or _UVM in user.nodes:
        return
    if not held_by(user.instance, scene.gpus):
        return
    restart = f"lxc restart{user.in_project} {quote(user.instance.name)}"
    yield Finding(
        name=name,
        subject=user.name,
        status=Status.FAIL,
        found="it has GPUs but no /dev/nvidia-uvm: it was started before the host had that file",
        why="nvidia-smi works in it, CUDA does not (torch.cuda.is_available() is False).",
        fix=f"invoke restart {quote(user.instance.name)}" if user.is_managed else restart,
    )


def _gpus_there(
    name: str, user: GpuUser, _everyone: Sequence[GpuUser], scene: Scene
) -> Iterator[Finding]:
    lost = missing(user.instance, scene.gpus)
    if not lost:
        return
    told = [
        f"{one.pci} moved to {one.now.pci}" if one.now else f"{one.pci} is missing" for one in lost
    ]
    yield Finding(
        name=name,
        subject=user.name,
        status=Status.FAIL,
        found="; ".join(told),
        why="LXD does not start a container with a GPU that is not in its slot.",
        fix=_regiven(user, scene) if user.is_managed else _removed(user, {one.pci for one in lost}),
    )


def _by_address(
    name: str, user: GpuUser, everyone: Sequence[GpuUser], scene: Scene
) -> Iterator[Finding]:
    loose = {device: keys.get("id", "") for device, keys in user.gpus.items() if _is_loose(keys)}
    if not scene.gpus:
        return
    meant = {
        device: scene.drm.get(chosen) or _least_used(everyone, scene)
        for device, chosen in loose.items()
    }
    for device, chosen in loose.items():
        address = meant[device]
        is_managed = _regiven(user, scene, meant.values())
        yield Finding(
            name=name,
            subject=user.name,
            status=Status.WARN,
            found=f"its device {device} "
            + (f"is chosen by LXD's id {chosen}" if chosen else "names no GPU"),
            why=_why(chosen, scene),
            fix=is_managed if user.is_managed else _addressed(user, device, address),
        )


def _is_loose(keys: Mapping[str, str]) -> bool:
    """Whether a gpu device leaves it to LXD which of NVIDIA's GPUs it is."""
    if keys.get("vendorid", "10de").lower() != "10de":
        return False
    return not (keys.get("pci") or keys.get("mig.uuid") or keys.get("id", "").startswith(_CDI))


def _why(chosen: str, scene: Scene) -> str:
    many = f"LXD {scene.server.version} may pass every GPU: {len(scene.gpus)} here."
    if not chosen:
        return f"It is not limited to one GPU. {many}"
    return (
        "LXD numbers GPUs differently from nvidia-smi (LXD counts the board's VGA card, too), and "
        f"{many}"
    )


def _addressed(user: GpuUser, device: str, address: str) -> str:
    """Not ours: this device alone, live. `id=` takes that key away."""
    name, own = quote(user.instance.name), device in user.instance.devices
    verb = "set" if own else "override"
    return f"lxc config device {verb}{user.in_project} {name} {quote(device)} id= pci={address}"


def _regiven(user: GpuUser, scene: Scene, more: Iterable[str] = ()) -> str:
    """Ours: the GPUs that it has by their names, those that moved where they are now, and MORE."""
    named = {name: keys for name, keys in user.gpus.items() if not _is_loose(keys)}
    there = held_by(replace(user.instance, devices=named, expanded_devices=named), scene.gpus)
    moved = [one.now for one in missing(user.instance, scene.gpus) if one.now]
    wanted = dict.fromkeys((*(one.label for one in (*there, *moved)), *more))
    fallback = "1" if scene.gpus else "none"
    return f"invoke provision {quote(user.instance.name)} --gpus {','.join(wanted) or fallback}"


def _removed(user: GpuUser, addresses: set[str]) -> str:
    name = quote(user.instance.name)
    return " && ".join(
        f"lxc config device remove{user.in_project} {name} {quote(device)}"
        for device, keys in user.gpus.items()
        if keys.get("pci", "").lower() in addresses
    )


def _least_used(everyone: Sequence[GpuUser], scene: Scene) -> str:
    """The GPU with the fewest users; who holds all GPUs does not tell them apart."""
    held = users([one.instance for one in everyone], scene.gpus)
    return min((gpu.pci for gpu in scene.gpus), key=lambda pci: len(held[pci]))
