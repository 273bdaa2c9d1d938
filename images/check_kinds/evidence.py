"""What fresh instances showed, and what of the lab a check is judged against. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.driver.delivery import Delivery, instance_config
from lab.gpus.devices import gpu_devices
from lab.gpus.nvidia_smi import complaint
from lab.lxd.model import Completed, Gpu


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one fresh instance showed. ANSWERS by check name, for those that ask something."""

    ipv4: tuple[str, ...] = ()
    cloud_init: str = ""
    """The text of cloud-init's result.json; empty when there was none in time."""
    machine_id: str = ""
    host_keys: tuple[str, ...] = ()
    answers: Mapping[str, Completed] = field(default_factory=dict)
    told: str = ""
    """How those checks were tried that come over the network; empty: from this host."""
    rebooted: Evidence | None = None
    """What it showed after a reboot; without answers: it never came back."""

    @property
    def boot_errors(self) -> str:
        """What cloud-init has to say of its boot; empty where all went well."""
        if not self.cloud_init:
            return "it did not finish"
        try:
            errors = json.loads(self.cloud_init)["v1"]["errors"]
        except (ValueError, KeyError, TypeError):
            return "result.json cannot be read"
        return "; ".join(str(error) for error in errors)


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
        grants = (grant for gpu in self.gpus for grant in gpu.grants)
        return {} if self.skipped else gpu_devices(grants, self.delivery)

    @property
    def config(self) -> Mapping[str, str]:
        return {} if self.skipped else instance_config(self.delivery)

    def complaint(self, said: Completed) -> str:
        """What is wrong with the ANSWER to nvidia_smi.QUERY; empty when all is right."""
        return complaint(said, [gpu.pci for gpu in self.gpus], self.version or "") or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that a check is judged by."""

    first: Evidence = field(default_factory=Evidence)
    second: Evidence = field(default_factory=Evidence)
    """Of another instance of the same image; empty where none was needed."""
    timezone: str = ""
    """The lab's."""
    gpus: GpuAccess = field(default_factory=GpuAccess)
    """Those that the first instance has."""
