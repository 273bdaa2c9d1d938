"""Findings about drift: userlands that are not of the version of the host's module. Pure.

Which version is where is told by images/ and provision/; here it is only judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from host.finding import Finding, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """Of the userland in a release or a container that drifts; None where there is none."""

    name: str
    driver: str | None

    def __str__(self) -> str:
        return f"{self.name} ({self.driver or 'none'})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """HOST: the module's. RELEASES, CONTAINERS, RESTARTS: those that drift from it.

    RESTARTS: containers that get the host's libraries when they start.
    """

    host: str | None = None
    releases: tuple[Version, ...] = ()
    containers: tuple[Version, ...] = ()
    restarts: tuple[Version, ...] = ()
    unseen: tuple[tuple[str, str], ...] = ()
    """Containers that could not be inspected, each with the reason."""

    @property
    def drift(self) -> bool:
        return bool(self.releases or self.containers or self.restarts)


def findings(versions: Versions) -> Iterator[Finding]:
    if versions.host is None:
        return
    yield _releases(versions)
    yield from _containers(versions)


def _releases(versions: Versions) -> Finding:
    name, drifting = "release-driver", versions.releases
    if not drifting:
        return Finding(name=name, found=f"every release fits {versions.host}")
    only = ",".join(one.name for one in drifting)
    return Finding(
        name=name,
        status=Status.WARN,
        found=f"not driver {versions.host}: {_listed(drifting)}",
        why="A container that is made from it now could not use its GPUs.",
        fix=f"invoke build-images --only {only}",
    )


def _containers(versions: Versions) -> Iterator[Finding]:
    name = "container-driver"
    why = 'Their users see "Failed to initialize NVML: Driver/library version mismatch".'
    for subject, trouble in versions.unseen:
        yield Finding(
            name=name,
            subject=subject,
            status=Status.WARN,
            found=trouble,
            why="It is not known whether its driver fits. Ask its user: only root in the "
            "container can cause this.",
        )
    if not (versions.containers or versions.restarts or versions.unseen):
        yield Finding(name=name, found=f"every container fits {versions.host}")
    for drifting, fix in (
        (versions.containers, "invoke sync-drivers"),
        (versions.restarts, "invoke sync-drivers --restart"),
    ):
        if drifting:
            yield Finding(
                name=name,
                status=Status.FAIL,
                found=f"not driver {versions.host}: {_listed(drifting)}",
                why=why,
                fix=fix,
            )


def _listed(versions: Sequence[Version]) -> str:
    return ", ".join(map(str, versions))
