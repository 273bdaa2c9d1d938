"""What is so with the host's GPUs and its driver; a part of `provision.create.facts`."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.driver.delivery import Delivery
from lab.gpu_selection import GpuSelection
from lab.gpus.allocation import Policy, Users, users
from lab.gpus.users import instances_with_gpus
from lab.host_gpus import HostGpus
from lab.lxd.port import Lxd
from lab.release import Release


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuFacts:
    host: HostGpus
    users: Users = field(default_factory=dict)
    delivery: Delivery = Delivery.NONE
    """How a new container of the template asked for gets its userland."""

    @property
    def policy(self) -> Policy:
        return Policy(limit=self.host.settings.gpus.limit)

    @property
    def usual(self) -> GpuSelection:
        """What a new container gets without `--gpus`."""
        # Nobody who asks for no GPU is refused for want of one.
        return self.host.settings.gpus.default if self.host.gpus else GpuSelection()


def read_gpus(lxd: Lxd, host: HostGpus, release: Release | None) -> GpuFacts:
    return GpuFacts(
        host=host,
        users=users(instances_with_gpus(lxd, host.settings), host.gpus) if host.gpus else {},
        delivery=host.delivery(release) if release is not None else host.chosen().delivery,
    )
