"""The GPUs that the instance of the `gpu` check gets."""

from __future__ import annotations

from images.check_kinds.evidence import GpuAccess
from images.context import BuildContext
from lab.host_gpus import read_host_gpus
from lab.release import Release


def gpu_access(context: BuildContext, release: Release) -> GpuAccess:
    """All GPUs: it only asks them, so it takes none from anybody, whatever the policy."""
    host = read_host_gpus(context.lxd, context.settings)
    return GpuAccess(gpus=host.gpus, delivery=host.delivery(release), version=host.driver)
