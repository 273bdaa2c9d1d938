"""What is wrong with a share that an instance has, as it is now: for `start` and `host.check`."""

from __future__ import annotations

from collections.abc import Container, Iterator
from shlex import quote

from lab import labels
from lab.lxd.model import Instance
from lab.lxd.port import Lxd
from lab.machine.mounts import Mount, mount_of, mounts
from lab.settings.settings import Settings
from lab.shares.devices import mounts_of, share_device, shares_of
from lab.shares.ground import Ground, Place, Problem
from lab.shares.sources import look_at


def troubles(
    instance: Instance,
    settings: Settings,
    lxd: Lxd,
    ground: Ground,
    known: Container[str] = (),
) -> Iterator[tuple[str, Problem]]:
    """Each share of INSTANCE that has one; () for an LXD on another machine.

    KNOWN: shares that are not looked at: a look may take its time.
    """
    if not settings.is_local:
        return
    for name in shares_of(instance):
        problem = None if name in known else _trouble(instance, name, settings, lxd, ground)
        if problem is not None:
            yield name, problem


def _trouble(
    instance: Instance, name: str, settings: Settings, lxd: Lxd, ground: Ground
) -> Problem | None:
    share = settings.shares.get(name)
    if share is None:
        return Problem(
            found=f"lab.yaml has no share {name}, which {instance.name} has.",
            command=f"invoke unshare {quote(instance.name)} {quote(name)}",
        )
    found = look_at(share, settings, lxd, ground)
    if isinstance(found, Problem):
        return found
    mark = mounts_of(instance.config.get(labels.SHARES)).get(name)
    if mark is not None and (missing := _unmounted(found, mark, ground)) is not None:
        return missing
    if shares_of(instance)[name] != share_device(found.path, share.place, share.kind, found.volume):
        return Problem(
            found=f"{instance.name} has the share {name} in another way than lab.yaml says.",
            command=f"invoke share {quote(instance.name)} {quote(name)}",
        )
    return None


def _unmounted(place: Place, mark: list[str], ground: Ground) -> Problem | None:
    """What was mounted when the share was given, and is not now."""
    kind, point = mark
    now = mount_of(place.path, mounts(ground.mounted)) or Mount(point="/", kind="")
    if len(point) <= len(now.point):
        return None
    return Problem(
        found=f"{kind} is not mounted at {point}, where {place.path} is.",
        command=f"sudo mount {quote(point)}",
    )
