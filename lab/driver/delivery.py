"""How NVIDIA's userland reaches a container, chosen by what the daemon and the host can do. Pure.

By API extensions, never by version strings: LXD 6.10 took `nvidia_runtime` out again
(https://documentation.ubuntu.com/lxd/latest/api-extensions/).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from lab import labels
from lab.errors import InputError
from lab.lxd.devices import of_type
from lab.lxd.model import Gpu, Instance, Server
from lab.settings.settings import Settings

Find = Callable[[str], "str | None"]

# LXD looks for them in its own PATH: the host's, or that of its snap.
_SNAP: Final = "/snap/lxd/current/bin/"


class Delivery(str, Enum):
    IMAGE = "image"
    """Baked into the release, at exactly the host's version, and held."""
    RUNTIME = "runtime"
    """Mounted by LXD at each start (`nvidia.runtime`), from the host's own."""
    CDI = "cdi"
    """The same by the Container Device Interface, which names the GPU as well."""
    NONE = "none"

    @property
    def is_injected(self) -> bool:
        """Whether a restart of the container is all that a driver update takes."""
        return self in {Delivery.RUNTIME, Delivery.CDI}

    @property
    def extension(self) -> str | None:
        """The daemon's API extension that it needs."""
        return _NEEDS[self][0] if self in _NEEDS else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """REASON goes on after `delivery image:`, in words for an admin."""

    delivery: Delivery
    reason: str

    def __str__(self) -> str:
        return f"{self.delivery.value}: {self.reason}"


_NEEDS: Final = {
    Delivery.CDI: ("gpu_cdi", "nvidia-ctk"),
    Delivery.RUNTIME: ("nvidia_runtime", "nvidia-container-cli"),
}


def choose(
    settings: Settings,
    server: Server,
    gpus: Sequence[Gpu],
    *,
    template: Delivery | None = None,
    find: Find = shutil.which,
) -> Chosen:
    """The delivery for a template whose definition asks for TEMPLATE, if for any.

    InputError where what somebody asked for is beyond the daemon.
    """
    if template is not None:
        return _asked(template, server, "set in the template's definition")
    if settings.driver.delivery != "auto":
        return _asked(Delivery(settings.driver.delivery), server, "set in lab.yaml")
    if not gpus:
        return Chosen(delivery=Delivery.NONE, reason="the host has no NVIDIA GPU")
    for delivery, (extension, tool) in _NEEDS.items():
        if server.has(extension) and (found := _tool(tool, settings, find)):
            return Chosen(delivery=delivery, reason=f"LXD has {extension} and {found} is installed")
    return Chosen(delivery=Delivery.IMAGE, reason=_why_not_injected(settings, server))


def instance_config(delivery: Delivery) -> dict[str, str]:
    """The keys of an instance with GPUs; `all` capabilities, or desktops lack GL and Vulkan."""
    if delivery is not Delivery.RUNTIME:
        return {}
    return {"nvidia.runtime": "true", "nvidia.driver.capabilities": "all"}


def delivery_of_instance(instance: Instance, usual: Delivery) -> Delivery:
    """What was written on it when it was made; else what its configuration tells; else USUAL."""
    written = instance.config.get(labels.DELIVERY)
    if written in {each.value for each in Delivery}:
        return Delivery(written)
    gpus = of_type("gpu", instance.expanded_devices).values()
    if any(gpu.get("id", "").startswith("nvidia.com/") for gpu in gpus):
        return Delivery.CDI
    if instance.config.get("nvidia.runtime") == "true":
        return Delivery.RUNTIME
    return usual


def _asked(delivery: Delivery, server: Server, reason: str) -> Chosen:
    extension = delivery.extension
    if extension and not server.has(extension):
        able = [one.value for one, (needed, _) in _NEEDS.items() if server.has(needed)]
        raise InputError(
            f"LXD {server.version} cannot deliver the driver by {delivery.value}: it lacks the "
            f"API extension {extension}.",
            details=f"It supports: {', '.join(['image', *able])}.",
            fix="Set `driver: {delivery: auto}` in lab.yaml, and remove `driver:` from the "
            "template's definition.",
        )
    return Chosen(delivery=delivery, reason=reason)


def _tool(name: str, settings: Settings, find: Find) -> str | None:
    # Of a machine far away only LXD's answers are known.
    return (find(name) or find(_SNAP + name)) if settings.is_local else None


def _why_not_injected(settings: Settings, server: Server) -> str:
    able = [(extension, tool) for extension, tool in _NEEDS.values() if server.has(extension)]
    if not able:
        return "LXD has neither gpu_cdi nor nvidia_runtime"
    if not settings.is_local:
        return "LXD is on another machine, and its tools cannot be seen from here"
    return f"the host has no {' and no '.join(tool for _, tool in able)}"
