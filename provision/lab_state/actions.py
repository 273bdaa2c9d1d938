"""What `import-state` can do, and what it can only tell, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateProject:
    name: str
    config: Mapping[str, str]

    def __str__(self) -> str:
        return f"make the project {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateAcl:
    name: str
    rules: Sequence[Mapping[str, str]]

    def __str__(self) -> str:
        return f"make the network ACL {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateNetwork:
    name: str
    config: Mapping[str, str]

    def __str__(self) -> str:
        address = self.config.get("ipv4.address")
        return f"make the network {self.name}{f' ({address})' if address else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetProfile:
    name: str
    config: Mapping[str, str]
    devices: Mapping[str, Mapping[str, str]]
    added: Sequence[str] = ()
    """Keys and devices that the profile lacked; empty for one that is made."""

    def __str__(self) -> str:
        if self.added:
            return f"add to the profile {self.name}: {', '.join(self.added)}"
        return f"make the profile {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LostPool:
    name: str
    driver: str
    source: str
    config: Mapping[str, str] = field(default_factory=dict)
    """Beside the source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recover:
    pools: Sequence[LostPool]
    instances: int
    volumes: int

    def __str__(self) -> str:
        where = ", ".join(f"{one.name} ({one.driver}, {one.source})" for one in self.pools)
        return (
            f"have `lxd recover` find all that is in the pool {where}\n"
            f"  then put back the keys of {self.instances} containers and {self.volumes} volumes"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PutVolume:
    pool: str
    name: str
    config: Mapping[str, str]

    def __str__(self) -> str:
        return f"volume {self.name} in {self.pool}: put back {len(self.config)} keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class PutInstance:
    name: str
    config: Mapping[str, str] = field(default_factory=dict)
    devices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    profiles: tuple[str, ...] | None = None
    description: str | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        return (
            *sorted(self.config),
            *(f"device {name}" for name in sorted(self.devices)),
            *(("profiles",) if self.profiles is not None else ()),
            *(("description",) if self.description is not None else ()),
        )

    def __str__(self) -> str:
        return f"{self.name}: put back {', '.join(self.parts)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PutImage:
    fingerprint: str
    properties: Mapping[str, str]

    def __str__(self) -> str:
        return f"image {self.fingerprint[:12]}: put back {len(self.properties)} properties"


@dataclass(frozen=True, slots=True, kw_only=True)
class PutAlias:
    name: str
    fingerprint: str

    def __str__(self) -> str:
        return f"image {self.fingerprint[:12]}: put back the name {self.name}"


Ground: TypeAlias = CreateProject | CreateAcl | CreateNetwork | SetProfile
"""What `lxd recover` needs to find."""
Put: TypeAlias = PutVolume | PutInstance | PutImage | PutAlias
Action: TypeAlias = Ground | Recover | Put


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is not as in the file, and stays so."""

    subject: str
    text: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.subject}: {self.text}" + (f"\n  Next: {self.fix}" if self.fix else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    actions: tuple[Action, ...] = ()
    told: tuple[Told, ...] = ()
