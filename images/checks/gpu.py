"""What the `gpu` check is about: the GPUs its instance gets, and what it has to say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from images.context import BuildContext
from lab.driver.delivery import Delivery, instance_config
from lab.gpus.devices import gpu_devices
from lab.gpus.nvidia_smi import complaint
from lab.host_gpus import read_host_gpus
from lab.lxd.model import Completed, Gpu
from lab.release import Release


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuAccess:
    """The host's GPUs, as a user's container of a release would get them."""

    gpus: tuple[Gpu, ...] = ()
    delivery: Delivery = Delivery.NONE
    version: str | None = None
    """Of the host's kernel module."""

    @property
    def skipped(self) -> str:
        """Why nvidia-smi is not asked; empty where it is."""
        if not self.gpus:
            return "the host has no NVIDIA GPU"
        if self.delivery is Delivery.NONE:
            return "the lab chose delivery none"
        return ""

    @property
    def devices(self) -> Mapping[str, Mapping[str, str]]:
        return {} if self.skipped else gpu_devices(self.gpus, self.delivery)

    @property
    def config(self) -> Mapping[str, str]:
        return {} if self.skipped else instance_config(self.delivery)

    def complaint(self, said: Completed) -> str:
        """What is wrong with the ANSWER to nvidia_smi.QUERY; empty when all is right."""
        return complaint(said, [gpu.pci for gpu in self.gpus], self.version or "") or ""


def gpu_access(context: BuildContext, release: Release) -> GpuAccess:
    """All GPUs: it only asks them, so it takes none from anybody, whatever the policy."""
    host = read_host_gpus(context.lxd, context.settings)
    return GpuAccess(gpus=host.gpus, delivery=host.delivery(release), version=host.driver)
