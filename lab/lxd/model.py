"""LXD's objects as plain values, picked apart from the server's answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    # Programs that are brought into instances have this module, and Python alone.
    from lab.machine.cgroup import Memory


class State(str, Enum):
    """An instance's status as LXD names it; everything rarer is OTHER."""

    RUNNING = "Running"
    STOPPED = "Stopped"
    FROZEN = "Frozen"
    ERROR = "Error"
    OTHER = "Other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    version: str
    api_extensions: frozenset[str]
    name: str
    certificate: str = ""
    """By its SHA-256, as hex: which server it is, however it is reached."""

    def has(self, extension: str) -> bool:
        """Whether the daemon speaks the API EXTENSION (documented in LXD's api-extensions.md)."""
        return extension in self.api_extensions

    @property
    def user_data_key(self) -> str:
        """The instance key for cloud-init's user-data; daemons before `cloud_init` use `user.`."""
        return "cloud-init.user-data" if self.has("cloud_init") else "user.user-data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beneath:
    """The disk that a pool's file lies on."""

    file: str
    free_bytes: int
    missing_bytes: int
    """What the file, which is sparse, may still take of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    name: str
    driver: str
    config: Mapping[str, str] = field(default_factory=dict)
    total_bytes: int | None = None
    used_bytes: int | None = None
    beneath: Beneath | None = None
    """None for a pool that is not a file, and for an LXD on another machine."""

    @property
    def inside_bytes(self) -> int | None:
        """What is free by the pool's own account; None where the driver does not tell."""
        if self.total_bytes is None or self.used_bytes is None:
            return None
        return self.total_bytes - self.used_bytes

    @property
    def free_bytes(self) -> int | None:
        """What can be written; None where the driver does not tell."""
        inside = self.inside_bytes
        if inside is None or self.beneath is None or not self.is_on_a_full_disk:
            return inside
        return self.beneath.free_bytes

    @property
    def is_on_a_full_disk(self) -> bool:
        """Whether the disk beneath ends before the pool does."""
        disk, inside = self.beneath, self.inside_bytes
        if disk is None or inside is None:
            return False
        return disk.free_bytes < min(inside, disk.missing_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    name: str
    type: str
    managed: bool
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MigPart:
    """A part of a GPU, made by NVIDIA's Multi-Instance GPU."""

    pci: str
    """Of the GPU, as `Gpu.pci`."""
    uuid: str
    """`MIG-…`."""

    @property
    def label(self) -> str:
        """What people are shown, and what they write after `--gpus`."""
        return self.uuid

    @property
    def grants(self) -> tuple[Grant, ...]:
        return (self,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A GPU of NVIDIA's in the server."""

    pci: str
    """As `lab.hardware.pci` writes it: `0000:b1:00.0`."""
    uuid: str | None = None
    """`GPU-…`; None if not known."""
    model: str
    driver: str | None = None
    """Version of the kernel module that runs it, as the daemon sees it; None without NVIDIA's."""
    parts: tuple[MigPart, ...] = ()
    """What it is split into; empty where it is whole."""

    @property
    def label(self) -> str:
        """What people are shown, and what they write after `--gpus`."""
        return self.pci

    @property
    def grants(self) -> tuple[Grant, ...]:
        """What of it can be given: of a GPU that is split, its parts alone."""
        return self.parts or (self,)


Grant: TypeAlias = Gpu | MigPart
"""What an instance has of the server's GPUs: a whole one, or a part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    name: str
    config: Mapping[str, str] = field(default_factory=dict)
    devices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    fingerprint: str
    aliases: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    size_bytes: int = 0
    created_at: datetime
    """When LXD got it (`uploaded_at`), with time zone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    name: str
    project: str = "default"
    state: State
    config: Mapping[str, str] = field(default_factory=dict)
    """The instance's own keys, without those of its profiles."""
    expanded_config: Mapping[str, str] = field(default_factory=dict)
    """Its own keys, and those of its profiles that it does not set itself."""
    devices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    expanded_devices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()
    description: str = ""
    location: str = "none"
    created_at: datetime
    last_used_at: datetime | None = None
    """When it was started the last time; None where it never was."""

    @property
    def image(self) -> str | None:
        """The fingerprint of the image it was made from."""
        return self.config.get("volatile.base_image") or None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceState:
    """What changes by itself while an instance runs."""

    state: State
    ipv4: tuple[str, ...] = ()
    """Addresses of scope global on its nics (docker's and other inner bridges left out)."""
    ipv6: tuple[str, ...] = ()
    disk_bytes: Mapping[str, int] = field(default_factory=dict)
    """Bytes in use by device name (`root`, …), from the pool's own accounting."""
    disk_quotas: Mapping[str, int | None] | None = None
    """What the kernel holds them to; None for a disk without a quota. None: it was not asked."""
    memory_bytes: int = 0
    """With the cache of files, which the kernel gives to others when they need it."""
    memory: Memory | None = None
    """As the kernel counts and limits it; None where LXD was asked, and of one that is stopped."""
    processes: int | None = 0
    """None where LXD was not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    pool: str
    name: str
    config: Mapping[str, str] = field(default_factory=dict)
    used_by: tuple[str, ...] = ()
    """Names of the instances of this project that have it attached."""
    used_elsewhere: tuple[str, ...] = ()
    """The same of other projects that share the pool's volumes: `bob of the project lab2`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Of an instance (root, config and devices) or of a custom volume (its files)."""

    name: str
    config: Mapping[str, str] = field(default_factory=dict)
    """Of the instance or the volume, as it was then."""
    created_at: datetime | None = None
    """LXD 5.0 does not tell when a volume's was taken."""
    size_bytes: int | None = None
    """What its removal would give back; None where LXD or the pool's driver does not tell."""
    devices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """An instance's own, as they were then."""
    profiles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSpec:
    """All that one create call needs. Exactly one of IMAGE and COPY_OF is set."""

    name: str
    image: str | None = None
    """A fingerprint in the server's own store."""
    copy_of: str | None = None
    """An instance to clone copy-on-write."""
    copy_project: str | None = None
    """The project of COPY_OF where it is not the one the instance is made in."""
    config: Mapping[str, str] = field(default_factory=dict)
    devices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    profiles: tuple[str, ...] = ("default",)
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A command that ended, with any exit code."""

    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an operation is, in LXD's own words."""

    text: str
    percent: int | None = None
