"""What a container that is restored has of its backup, and what of the server it comes to. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from lab import labels
from lab.driver.delivery import Delivery
from lab.gpus.devices import gpu_devices
from lab.lxd.devices import Device, root_of
from lab.lxd.model import Grant, Instance, Pool, Profile, Volume
from lab.process import me
from provision.backup.directory import Backup
from provision.backup.manifest import Root
from provision.create.gpu_facts import GpuFacts
from provision.create.gpus import gpu_config
from provision.half_taken import AUTOSTART
from provision.homes import HOME
from provision.ids.ranges import IdFacts
from provision.snapshots.wish import IDENTITY

PROTECTION: Final = "security.protection.delete"
_OF_RUNS: Final = frozenset(
    {
        labels.BUILDER,
        labels.PHASE,
        labels.CLOSED,
        labels.UNCLEAN,
        labels.KEPT_ROOT,
        labels.UPGRADE,
        labels.RENAME,
        labels.ISOLATE,
        labels.SNAPSHOT,
        labels.SYNC,
        labels.FROM_BACKUP,
        AUTOSTART,
        PROTECTION,
    }
)
_ANEW: Final = ("security.idmap.", "nvidia.")
_MAC: Final = ".hwaddr"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    project: str
    pool: Pool
    """Where root and home go."""
    instances: tuple[Instance, ...] = ()
    home: Volume | None = None
    """The kept one."""
    home_name: str
    """Of that, or of the one that is to be made."""
    volumes: frozenset[tuple[str, str]] = frozenset()
    networks: frozenset[str] = frozenset()
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    missing_paths: frozenset[str] = frozenset()
    """Directories of this server that the backup's devices name, and that are not there."""
    ids: IdFacts = field(default_factory=IdFacts)
    gpus: GpuFacts
    images_free: int | None = None
    """Where LXD puts what is uploaded; None where it is not known."""


def taken_macs(root: Root, facts: Facts) -> frozenset[str]:
    """Keys of ROOT's config whose MAC address somebody else has."""
    there = {
        value for one in facts.instances for key, value in one.config.items() if key.endswith(_MAC)
    }
    return frozenset(
        key for key, value in root.wish.config.items() if key.endswith(_MAC) and value in there
    )


def config_of(
    backup: Backup, root: Root, facts: Facts, gpus: tuple[Grant, ...], without: Collection[str]
) -> dict[str, str]:
    kept = {
        key: value
        for key, value in root.wish.config.items()
        if key not in _OF_RUNS and key not in without and not key.startswith(_ANEW)
    }
    given = gpu_config(gpus, _delivery(root, facts), _default(facts))
    return {
        **kept,
        **{key: value for key, value in root.config.items() if key != IDENTITY},
        **{key: value for key, value in given.items() if value},
        labels.PHASE: labels.PREPARING,
        labels.BUILDER: me(),
        labels.UNCLEAN: "true",
        labels.FROM_BACKUP: backup.id,
        AUTOSTART: "false",
    }


def devices_for(root: Root, facts: Facts, gpus: tuple[Grant, ...]) -> dict[str, Device]:
    others = {
        name: device for name, device in root.wish.devices.items() if device.get("type") != "gpu"
    }
    for name, device in others.items():
        if device.get("path") == HOME["path"] and device.get("type") == "disk":
            others[name] = {**HOME, "pool": _home_pool(facts), "source": facts.home_name}
    own = root_of(others)
    if own is not None:
        others[own[0]] = {**own[1], "pool": facts.pool.name}
    return {**others, **gpu_devices(gpus, _delivery(root, facts))}


def _home_pool(facts: Facts) -> str:
    return facts.home.pool if facts.home else facts.pool.name


def _delivery(root: Root, facts: Facts) -> Delivery:
    told = root.wish.config.get(labels.DELIVERY, "")
    known = {one.value: one for one in Delivery}
    return known.get(told, facts.gpus.delivery)


def _default(facts: Facts) -> Profile:
    return facts.profiles.get("default", Profile(name="default"))
