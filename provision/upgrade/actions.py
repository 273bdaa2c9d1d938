"""What an upgrade consists of. Each says itself in lines, for --plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from lab.lxd.model import InstanceSpec
from lab.printable import in_line
from lab.sizes import format_size
from provision.create.actions import GiveKeys
from provision.former import Stage, UpgradeMark
from provision.isolation.plan import Move

_SHOWN = 40
_STAYS = (
    "/home, its account, ids, ssh keys, password, host keys, address, GPUs, disks, ports and limits"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What a root has while it is the container: of the other root, or as its release says."""

    config: Mapping[str, str | None] = field(default_factory=dict)
    devices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """All but NICs and proxies; its own root is among them where that gets another size."""
    network: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """NICs and proxies: no two instances may have them at once."""
    shown: tuple[str, ...] = ()
    """Of its profiles, and hidden until then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """Make a root of another release, and give it the container's name when it is ready."""

    name: str
    account: str
    before: str
    """`base 20261121.1`."""
    release: str
    spec: InstanceSpec
    """Of the next root, as it is made beside the container."""
    handed: Handed
    kept: str
    """What the present root is called afterwards."""
    keys: GiveKeys | None = None
    """None for a container of earlier versions, whose keys are in its home."""
    rdp: int | None = None
    asleep: bool = False
    snapshots: tuple[str, ...] = ()
    move: Move | None = None
    """It shares its ids, and gets its own first."""
    keep_days: int = 14
    packages: tuple[str, ...] | None = None
    """Those that its user added; None where that is not known."""
    files: tuple[str, ...] | None = None
    """The same, in /etc."""
    reinstall: bool = False
    to: str | None = None
    """The version that was asked for, where one was."""

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.name}: upgrade from {self.before} to {self.release}"
        if self.move is not None:
            yield f"  first: {self.move}"
        restarts = "it stays stopped" if self.asleep else "it is stopped and started once"
        yield f"  kept: {_STAYS}; {restarts}"
        yield (
            f"  not kept: packages and files outside of /home; they stay in the present root, "
            f"{self.kept}, until: invoke upgrade {self.name} --forget, or for {self.keep_days} days"
        )
        yield f"  {self._told_packages()}"
        yield f"  changed in /etc: {_listed(self.files)}"
        if self.snapshots:
            several = len(self.snapshots) > 1
            stay = "s {} stay" if several else " {} stays"
            yield f"  its snapshot{stay.format(', '.join(self.snapshots))} with that root"

    def _told_packages(self) -> str:
        text = f"packages added by hand: {_listed(self.packages)}"
        if not self.packages:
            return text
        if self.reinstall:
            return f"{text}; they are installed again"
        to = f" --to {self.to}" if self.to else ""
        return f"{text}; to install them: invoke upgrade {self.name}{to} --reinstall"


def _listed(names: tuple[str, ...] | None) -> str:
    """The user chose these names: on one line, and not endless."""
    if names is None:
        return "not known"
    shown = ", ".join(in_line(name, most=120) for name in names[:_SHOWN])
    more = len(names) - _SHOWN
    return (shown or "none") + (f", and {more} more" if more > 0 else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reinstall:
    """Packages of the kept root that the present one does not have."""

    name: str
    packages: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}: install {_listed(self.packages)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Back:
    """The kept root becomes the container again, and the present one is kept."""

    name: str
    before: str
    release: str
    next: str
    """The kept root, as it is called now."""
    kept: str
    """What the present root is called afterwards."""
    handed: Handed
    asleep: bool = False

    def __str__(self) -> str:
        restarts = "" if self.asleep else "; it is stopped and started once"
        return (
            f"{self.name}: return from {self.before} to its kept root {self.next} "
            f"({self.release}); the present root is kept as {self.kept}{restarts}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """An earlier run was interrupted: the container is finished, or put back as it was."""

    name: str
    leaving: str
    """The instance that carries MARK."""
    mark: UpgradeMark

    @property
    def finishes(self) -> bool:
        return self.mark.stage is Stage.OPENING

    def __str__(self) -> str:
        if self.finishes:
            return f"{self.name}: finish an upgrade that was interrupted"
        return f"{self.name}: undo an upgrade that was interrupted, then decide again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Remove the root that an upgrade kept. EXPIRED: its time is over."""

    name: str
    kept: str
    size: int | None = None
    expired: bool = False

    def __str__(self) -> str:
        size = "" if self.size is None else f" ({format_size(self.size)})"
        why = ", which is older than the lab keeps them" if self.expired else ""
        return f"{self.name}: remove its kept root {self.kept}{size}{why}; no way back afterwards"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Not touched. FIX: a command, where one helps."""

    name: str
    reason: str
    fix: str | None = None

    def __str__(self) -> str:
        return f"{self.name}: skip, {self.reason}" + (f": {self.fix}" if self.fix else "")


Action: TypeAlias = Upgrade | Reinstall | Back | Resume | Forget | Leave
