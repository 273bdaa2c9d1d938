"""A share as one container has it, or is to have it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lab.cloudinit.account import UID
from lab.errors import InputError
from lab.lxd.devices import Device
from lab.lxd.idmap import IdRange, own_range
from lab.lxd.model import Instance
from lab.names import did_you_mean, quote
from lab.settings.settings import Settings
from lab.settings.shares import NONE, ShareKind, is_below
from lab.shares.devices import device_name, share_device
from lab.shares.ground import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """A share of lab.yaml whose directory was judged."""

    name: str
    kind: ShareKind
    place: str
    """Where it is inside."""
    source: Place

    @property
    def device(self) -> tuple[str, Device]:
        return device_name(self.name), share_device(
            self.source.path, self.place, self.kind, self.source.volume
        )

    @property
    def has_own_directories(self) -> bool:
        """Whether each person gets a directory in it, since only root may write in it itself."""
        return self.kind is ShareKind.PRIVATE and not self.source.mode & 0o002

    def __str__(self) -> str:
        return f"{self.name} ({self.source} at {self.place}, {self.kind.value})"


def people(ids: IdRange) -> tuple[int, int]:
    """Who of a container with IDS changes things in an open share: its root and its account."""
    return ids.base, ids.base + UID


def devices_of(sharings: Iterable[Sharing]) -> dict[str, Device]:
    return dict(sharing.device for sharing in sharings)


def shares_named(words: Sequence[str]) -> tuple[str, ...] | None:
    """What WORDS after `--share` ask for; None where there are none, () for `none`."""
    if not words:
        return None
    return () if tuple(words) == (NONE,) else tuple(dict.fromkeys(words))


def known(names: Sequence[str], settings: Settings) -> tuple[str, ...]:
    """NAMES once each. InputError where lab.yaml has no such share."""
    wanted = tuple(dict.fromkeys(names))
    for name in wanted:
        if name not in settings.shares:
            there = ", ".join(sorted(settings.shares)) or "none"
            raise InputError(
                f"There is no share {quote(name)}{did_you_mean(name, settings.shares)}.",
                details=f"lab.yaml has: {there}.",
                fix="Write it into shares in lab.yaml, or choose another.",
            )
    return wanted


def defaults(template: str, settings: Settings) -> tuple[str, ...]:
    """What a new container of TEMPLATE, by its full name, gets unasked."""
    shares = settings.shares.items()
    return tuple(sorted(name for name, share in shares if share.is_default_of(template)))


def refuse_overlaps(sharings: Sequence[Sharing], others: Mapping[str, Device]) -> None:
    """InputError where a share would hide something, or be hidden. OTHERS: its other devices."""
    mine = [(sharing.name, sharing.place) for sharing in sharings]
    taken = [(f"the device {name}", path) for name, path in _paths(others)]
    for index, (name, place) in enumerate(mine):
        before = [(f"the share {other}", path) for other, path in mine[:index]]
        for what, path in (*before, *taken):
            if is_below(place, path) or is_below(path, place):
                raise InputError(
                    f"The share {name} is to be at {place}, and {what} is at {path}.",
                    details="One of them would hide the other.",
                    fix=f"Give the share another place: at: in shares: {name}: in lab.yaml.",
                )


def refuse_without_ids(instance: Instance, sharings: Iterable[Sharing]) -> None:
    """InputError where others, whose ids INSTANCE has, would be root of what it writes."""
    if own_range(instance) is not None:
        return
    for sharing in sharings:
        if sharing.kind is not ShareKind.READ_ONLY:
            raise InputError(
                f"{instance.name} has no ids of its own, so it cannot write in the share "
                f"{sharing.name}.",
                details="Root in each container without ids of its own could change its files.",
                fix=f"Give it ids of its own: invoke isolate {instance.name}",
            )


def _paths(devices: Mapping[str, Device]) -> Iterator[tuple[str, str]]:
    for name, device in devices.items():
        # A share may be below /home: LXD mounts the shorter path first.
        if device.get("type") == "disk" and device.get("path", "/") not in {"/", "/home"}:
            yield name, device["path"]
