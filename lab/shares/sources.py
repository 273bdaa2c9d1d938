"""Where a share of lab.yaml is: a directory of the server, or a volume of LXD's.

LXD gives the files of a volume to the ids of one container, and attaches it to no other. So several
have it only if LXD leaves its ids alone (`security.unmapped`): then it is as a directory is.
"""

from __future__ import annotations

from collections.abc import Mapping

from lab import labels
from lab.errors import InputError
from lab.lxd.devices import Device
from lab.lxd.model import Volume
from lab.lxd.port import Lxd
from lab.machine.mounts import Mount
from lab.settings.settings import Settings
from lab.settings.shares import ShareKind, ShareSettings
from lab.shares.ground import Ground, Place, Problem, look, look_into

_SHIFTED, _UNMAPPED = "security.shifted", "security.unmapped"


def source_of(share: ShareSettings, settings: Settings, lxd: Lxd, ground: Ground) -> Place:
    """InputError where it cannot be shared."""
    found = look_at(share, settings, lxd, ground)
    if isinstance(found, Problem):
        raise InputError(found.found, fix=found.fix)
    return found


def look_at(share: ShareSettings, settings: Settings, lxd: Lxd, ground: Ground) -> Place | Problem:
    if share.volume is None:
        return look(share.path or "", settings.share_paths, share.kind, ground)
    pool, name = share.volume
    volume = next((one for one in _volumes(lxd, pool) if one.name == name), None)
    problem = _unfit(volume, pool, name, share.kind)
    if problem is not None:
        return problem
    if share.kind is ShareKind.READ_ONLY:
        mount = Mount(point="/", kind="volume")
        return Place(path="", mode=0o755, mount=mount, volume=share.volume)
    directory = _directory(pool, name, lxd, ground)
    return look_into(directory, share.kind, ground, volume=share.volume)


def directory_of(device: Device, lxd: Lxd, ground: Ground) -> str:
    """Where the share that an instance has by DEVICE is on the server."""
    source, pool = device.get("source", ""), device.get("pool")
    return _directory(pool, source, lxd, ground) if pool else source


def _directory(pool: str, name: str, lxd: Lxd, ground: Ground) -> str:
    config: Mapping[str, str] = lxd.projects().get(lxd.project, {})
    own = config.get("features.storage.volumes") == "true"
    project = lxd.project if own else "default"
    return str(ground.lxd() / "storage-pools" / pool / "custom" / f"{project}_{name}")


def _volumes(lxd: Lxd, pool: str) -> tuple[Volume, ...]:
    return lxd.volumes(pool) if pool in {one.name for one in lxd.pools()} else ()


def _unfit(volume: Volume | None, pool: str, name: str, kind: ShareKind) -> Problem | None:
    if volume is None:
        return Problem(
            found=f"There is no volume {name} in the pool {pool}.",
            command=f"lxc storage volume create {pool} {name} {_UNMAPPED}=true",
        )
    if labels.OWNER in volume.config:
        return Problem(
            found=f"The volume {name} in the pool {pool} is a home.",
            advice="Share another volume.",
        )
    if volume.config.get(_UNMAPPED) == "true":
        return None
    if volume.config.get(_SHIFTED) == "true" and kind is ShareKind.READ_ONLY:
        return None
    return Problem(
        found=f"Root in each container would own all files in the volume {name} ({_SHIFTED})."
        if volume.config.get(_SHIFTED) == "true"
        else f"LXD attaches the volume {name} to one container only.",
        command=f"lxc storage volume set {pool} {name} {_UNMAPPED}=true {_SHIFTED}=false",
        advice="Only while no running container uses it.",
    )
