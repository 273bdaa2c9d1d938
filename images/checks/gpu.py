"""The GPUs that the `gpu` check's instance gets."""

from __future__ import annotations

from images.check_kinds.evidence import GpuAccess
from images.context import BuildContext
from lab.driver.version import driver_of
from lab.release import Release, delivery_of_release


def gpu_access(context: BuildContext, release: Release) -> GpuAccess:
    """All GPUs: it only asks them, so it takes none from anybody, whatever the policy."""
    gpus = context.lxd.gpus()
    return GpuAccess(
        gpus=gpus,
        delivery=delivery_of_release(release, context.settings, context.lxd.server(), gpus),
        version=driver_of(gpus, local=context.settings.remote == "local"),
    )
