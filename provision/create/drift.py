"""The rule that nobody is given a release whose userland does not fit the host's kernel module."""

from __future__ import annotations

from lab.driver.delivery import Delivery
from lab.errors import CapacityError, InputError
from lab.release import Release
from provision.create.gpu_facts import GpuFacts


class DriftError(InputError):
    """A release that has to be built again, with the host's driver, before anybody gets it."""

    def __init__(self, release: Release, found: str, *, details: str) -> None:
        self.template = release.template
        super().__init__(
            f"The release {release.template} {release.version} {found}.",
            details=details,
            fix=f"invoke build-images --only {release.template}\n"
            "(with `driver: {on-drift: build}` in lab.yaml, provision does that by itself)",
        )


def refuse_drift(release: Release, gpus: GpuFacts, *, with_gpus: bool) -> None:
    """DriftError where RELEASE would not work; CapacityError where no release could."""
    if gpus.delivery is Delivery.NONE:
        return
    if gpus.host.driver is None:
        if with_gpus:
            raise _no_module()
        return
    if gpus.host.fits(release.driver, gpus.delivery, with_gpus=with_gpus):
        return
    if release.driver is None:
        raise DriftError(
            release,
            f"has no NVIDIA driver, the host runs driver {gpus.host.driver}",
            details="A container made from it cannot use a GPU.",
        )
    raise DriftError(
        release,
        f"is for driver {release.driver}, the host runs {gpus.host.driver}",
        details="In a container made from it, nvidia-smi fails: Driver/library version mismatch.",
    )


def refuse_drift_in(name: str, release: Release, gpus: GpuFacts) -> None:
    """InputError where a copy of the container NAME, which has RELEASE, could not use a GPU."""
    try:
        refuse_drift(release, gpus, with_gpus=True)
    except DriftError as drift:
        raise InputError(
            f"{name} does not have the host's driver {gpus.host.driver}, so its copy would not.",
            fix=f"invoke sync-drivers {name}\nor make the copy without a GPU: --gpus none",
        ) from drift


def _no_module() -> CapacityError:
    return CapacityError(
        "The host has NVIDIA GPUs, but their driver is not loaded.",
        details="A container would get GPUs that do not work.",
        fix="Find the cause: invoke host.check\nMake the container now without a GPU: --gpus none",
    )
