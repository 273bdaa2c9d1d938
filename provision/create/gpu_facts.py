"""What is so with the host's GPUs and its driver; a part of `provision.create.facts`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.driver.delivery import Delivery
from lab.gpu_selection import GpuSelection
from lab.gpus.allocation import Policy, Users, users
from lab.gpus.users import instances_with_gpus
from lab.host_gpus import HostGpus
from lab.lxd.model import Gpu
from lab.lxd.port import Lxd
from lab.release import Release
from lab.settings.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuFacts:
    gpus: tuple[Gpu, ...] = ()
    users: Users = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    usual: GpuSelection = field(default_factory=GpuSelection)
    """What a new container gets without `--gpus`."""
    driver: str | None = None
    """Version of the kernel module."""
    delivery: Delivery = Delivery.NONE
    """How a new container of the template asked for gets its userland."""


def read_gpus(lxd: Lxd, host: HostGpus, release: Release | None) -> GpuFacts:
    settings = host.settings
    return GpuFacts(
        gpus=host.gpus,
        users=_users(lxd, settings, host.gpus),
        policy=Policy(limit=settings.gpus.limit),
        # Nobody who asks for no GPU is refused for want of one.
        usual=settings.gpus.default if host.gpus else GpuSelection(),
        driver=host.driver,
        delivery=host.delivery(release) if release is not None else host.chosen().delivery,
    )


def _users(lxd: Lxd, settings: Settings, gpus: tuple[Gpu, ...]) -> Mapping[str, tuple[str, ...]]:
    return users(instances_with_gpus(lxd, settings), gpus) if gpus else {}
