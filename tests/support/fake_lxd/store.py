"""What the fake LXD remembers: one store, seen by the fakes of all its projects."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

from lab.errors import LabError
from lab.lxd.errors import refused
from lab.lxd.idmap import IdRange
from lab.lxd.model import Completed, Gpu, Image, Network, Pool, Profile, Server, State
from lab.machine.cgroup import Memory

EPOCH = datetime(2026, 11, 21, tzinfo=timezone.utc)
OnRun = Callable[[str, Sequence[str], "bytes | None"], Completed]


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeFile:
    content: bytes
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


MIXED = "mixed"
IDENTITY = "volatile.cloud-init.instance-id"
_USER_DATA = ("cloud-init.user-data", "user.user-data")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An instance's part of a snapshot."""

    config: Mapping[str, str]
    devices: Mapping[str, Mapping[str, str]]
    profiles: tuple[str, ...]
    files: Mapping[str, FakeFile]
    created_at: datetime
    owners: str = "[]"


@dataclass(slots=True, kw_only=True)
class FakeInstance:
    state: State = State.STOPPED
    config: dict[str, str] = field(default_factory=dict)
    devices: dict[str, Mapping[str, str]] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()
    description: str = ""
    files: dict[str, FakeFile] = field(default_factory=dict)
    owners: str = "[]"
    """The map that its root's files really have."""
    snapshots: tuple[str, ...] = ()
    kept: dict[str, Kept] = field(default_factory=dict)
    """What is in the snapshots that were taken through the port."""
    address: str = ""
    created_at: datetime = EPOCH
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptVolume:
    """A snapshot of a volume. Its config is to be seen, and does not come back."""

    owners: str
    config: Mapping[str, str]
    files: Mapping[str, FakeFile]


@dataclass(slots=True, kw_only=True)
class FakeVolume:
    """What is beside a volume's config."""

    owners: str = "[]"
    """The map that its files really have; MIXED where a shift was cut off."""
    files: dict[str, FakeFile] = field(default_factory=dict)
    """By their paths below where it is mounted, `/thesis`."""
    kept: dict[str, KeptVolume] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class FakeImage:
    image: Image
    files: dict[str, FakeFile] = field(default_factory=dict)
    parts: tuple[bytes, ...] = ()
    """The image's files as they are exported: their hash is the fingerprint."""


def nothing_said(name: str, argv: Sequence[str], stdin: bytes | None) -> Completed:
    """Every command succeeds without a word."""
    return Completed(exit_code=0, stdout="", stderr="")


@dataclass(slots=True, kw_only=True)
class Store:
    server: Server = field(
        default_factory=lambda: Server(
            version="5.0.2", api_extensions=frozenset({"projects", "cloud_init"}), name="fake"
        )
    )
    tells_states: bool = True
    """Whether it is as an LXD of this machine, on btrfs, asked by root."""
    memories: dict[str, Memory] = field(default_factory=dict)
    """What the kernel says of an instance, where it is not what LXD was told."""
    now: datetime = EPOCH + timedelta(hours=1)
    host_gpus: tuple[Gpu, ...] = ()
    disk: Path | None = None
    """Where files are laid out as directories; None for an LXD whose files are not to be seen."""
    projects: dict[str, dict[str, str]] = field(default_factory=lambda: {"default": {}})
    pools: dict[str, Pool] = field(
        default_factory=lambda: {
            "default": Pool(
                name="default",
                driver="btrfs",
                config={"source": "/var/lib/lxd/disks/default.img"},
                total_bytes=40 << 30,
                used_bytes=1 << 30,
            )
        }
    )
    acls: dict[str, tuple[Mapping[str, str], ...]] = field(default_factory=dict)
    networks: dict[str, Network] = field(
        default_factory=lambda: {
            "lxdbr0": Network(
                name="lxdbr0",
                type="bridge",
                managed=True,
                config={"ipv4.address": "10.77.0.1/24", "ipv4.nat": "true"},
            )
        }
    )
    profiles: dict[str, Profile] = field(
        default_factory=lambda: {
            "default": Profile(
                name="default",
                devices={
                    "root": {"path": "/", "pool": "default", "type": "disk"},
                    "eth0": {"name": "eth0", "network": "lxdbr0", "type": "nic"},
                },
            )
        }
    )
    written: dict[tuple[str, str], datetime | None] = field(default_factory=dict)
    """When the config of an instance was written beside its root, if not when it was made; None
    where that is not to be seen. By project and name."""
    images: dict[str, FakeImage] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    instances: dict[tuple[str, str], FakeInstance] = field(default_factory=dict)
    """By project and name."""
    volumes: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    """By pool and name."""
    contents: dict[tuple[str, str], FakeVolume] = field(default_factory=dict)
    id_range: IdRange | None = field(default_factory=lambda: IdRange(1_000_000, 1_000_000_000))
    shift_failures: dict[str, LabError] = field(default_factory=dict)
    """Instance → what ends, once, the shift of its volumes half-way."""
    used: int = 1 << 20
    """Bytes in each root and each volume."""
    cut_off_in_rename_volume: bool = False
    """Whether LXD dies each time after it changed the devices, before it renames the volume."""
    changes: list[str] = field(default_factory=list)
    """Every change asked for, in order: `create bob`, `set_alias lab/base`."""
    failures: dict[str, LabError] = field(default_factory=dict)
    """What to raise, once, instead of doing: by `verb` or `verb subject` as in `changes`."""
    on_run: OnRun = nothing_said
    consoles: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """What instances wrote to their consoles, by project and name."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    count: int = 0

    def next(self) -> int:
        """A number not given before."""
        with self.lock:
            self.count += 1
            return self.count


class FakeCalls:
    """Base of each group of calls, as `lab.lxd.calls.Calls` is of the real ones."""

    def __init__(self, project: str = "default", store: Store | None = None) -> None:
        self.store = store if store is not None else Store()
        self._project = project

    def _do(self, verb: str, subject: str) -> None:
        """Take note of a change, and fail where a test arranged it."""
        for key in (f"{verb} {subject}", verb):
            if (failure := self.store.failures.pop(key, None)) is not None:
                raise failure
        self.store.changes.append(f"{verb} {subject}")

    def _instance(self, name: str, what: str) -> FakeInstance:
        try:
            return self.store.instances[self._project, name]
        except KeyError:
            raise refused(what, "Instance not found", status=404) from None

    def _identified(self, before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
        """For cloud-init, an instance that gets other user-data is another one."""
        if all(before.get(key) == now.get(key) for key in _USER_DATA):
            return dict(now)
        return {**now, IDENTITY: str(uuid.UUID(int=self.store.next()))}

    def _uses(self, pool: str, volume: str) -> tuple[tuple[str, str], ...]:
        """Project and name of each instance that has the volume attached."""
        return tuple(
            sorted(
                key
                for key, instance in list(self.store.instances.items())
                for device in list(instance.devices.values())
                if device.get("pool") == pool and device.get("source") == volume
            )
        )
