"""Instances with GPUs on this LXD, ours or not, in every project that can be seen."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from lab import labels
from lab.errors import LxdError
from lab.gpus.devices import gpus_of
from lab.lxd.model import Instance, State
from lab.lxd.port import Lxd
from lab.machine.container_processes import device_nodes

_LOOKS_AT_ONCE: Final = 32
_PATIENCE: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuUser:
    instance: Instance
    home: str
    """The lab's own project: there names need no project beside them."""
    nodes: frozenset[str] | None = None
    """What its /dev holds of NVIDIA's; None if it does not run, or it is not known."""

    @property
    def is_managed(self) -> bool:
        return labels.OWNER in self.instance.config and self.instance.project == self.home

    @property
    def name(self) -> str:
        """`ann`, or `PROJECT/ann` elsewhere."""
        own = self.instance.project == self.home
        return self.instance.name if own else f"{self.instance.project}/{self.instance.name}"

    @property
    def in_project(self) -> str:
        """The option that leads `lxc` to it."""
        project = self.instance.project
        return "" if project == "default" else f" --project {project}"

    @property
    def gpus(self) -> Mapping[str, Mapping[str, str]]:
        """Its gpu devices by name, its profiles' too."""
        return gpus_of(self.instance)


def read_gpu_users(lxd: Lxd) -> tuple[GpuUser, ...]:
    """Those in the making are left out: who makes them looks after them."""
    found = [
        (lxd.in_project(project), instance)
        for project in sorted(lxd.projects())
        for instance in sorted(lxd.in_project(project).instances(), key=lambda each: each.name)
        if gpus_of(instance) and instance.config.get(labels.PHASE) != labels.PREPARING
    ]
    with ThreadPoolExecutor(max_workers=_LOOKS_AT_ONCE) as pool:
        nodes = pool.map(lambda pair: _nodes(*pair), found)
        return tuple(
            GpuUser(instance=instance, home=lxd.project, nodes=seen)
            for (_, instance), seen in zip(found, nodes, strict=True)
        )


def _nodes(lxd: Lxd, instance: Instance) -> frozenset[str] | None:
    if instance.state is not State.RUNNING:
        return None
    try:
        init = lxd.init_pid(instance.name)
        found = _inside(lxd, instance) if init is None else device_nodes(init)
    except LxdError:  # stopped meanwhile, frozen, a virtual machine without its agent
        return None
    return found and frozenset(name for name in found if name.startswith("nvidia"))


def _inside(lxd: Lxd, instance: Instance) -> frozenset[str] | None:
    # Not by LXD's file calls: the process that serves them ends after some seconds, and LXD
    # 5.0.2 then fails to take a device off ("forkfile.sock: connection reset by peer", seen).
    listed = lxd.run(instance.name, ["ls", "/dev"], timeout=_PATIENCE)
    return frozenset(listed.stdout.split()) if listed.exit_code == 0 else None
