"""What can be done to prepare a machine's LXD, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab.sizes import format_size


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePool:
    name: str
    driver: str
    size_bytes: int | None
    """The most its sparse file grows to; None leaves the size to LXD."""

    def __str__(self) -> str:
        size = "" if self.size_bytes is None else f", up to {format_size(self.size_bytes)}"
        return f"make storage pool {self.name} ({self.driver}{size})"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateNetwork:
    name: str
    ipv4: str
    """The bridge's address with its prefix length, or `auto`: LXD looks for a free one."""

    def __str__(self) -> str:
        address = "an address of LXD's choice" if self.ipv4 == "auto" else self.ipv4
        return f"make bridge {self.name} ({address}, NAT)"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateBuildersNetwork:
    """A bridge that users' containers are not on, and that an ACL closes to what is routed."""

    name: str
    ipv4: str
    """The bridge's address with its prefix length."""

    def __str__(self) -> str:
        return f"make bridge {self.name} for builders alone ({self.ipv4}, NAT, an ACL)"


@dataclass(frozen=True, slots=True, kw_only=True)
class FillDefaultProfile:
    devices: Mapping[str, Mapping[str, str]]
    """Only what is added; the profile's own devices stay."""

    def __str__(self) -> str:
        return f"add {' and '.join(self.devices)} to the default profile"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallGpuUnit:
    """Files of the machine, not of LXD: needs root."""

    def __str__(self) -> str:
        return "install the GPU boot unit (modules and device nodes, before LXD starts)"


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseLimits:
    """Of the kernel: a file of the machine, and at once. Needs root."""

    limits: Mapping[str, int]
    """Those that are too low now, and what to; none where only the file is lacking."""

    def __str__(self) -> str:
        raised = ", ".join(f"{key} to {value}" for key, value in self.limits.items())
        return f"raise limits of the kernel ({raised or 'for the next boot'})"


Action = (
    CreatePool
    | CreateNetwork
    | CreateBuildersNetwork
    | FillDefaultProfile
    | InstallGpuUnit
    | RaiseLimits
)
