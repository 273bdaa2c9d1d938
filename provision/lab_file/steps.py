"""What `apply` does with one container, each by the verb that a command has for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from lab.gpu_selection import GpuSelection
from provision.create.request import Request
from provision.expiry.renew import Renewal
from provision.keys.public_key import PublicKey
from provision.lab_file.present import Present
from provision.lab_file.texts import Mark
from provision.lab_file.wanted import Wanted
from provision.resize.sizes import Sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """Or finish, where a run was cut off."""

    request: Request
    sizes: Sizes | None = None
    """What `provision` does not take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace:
    """Its root is made again; its home is kept."""

    request: Request
    sizes: Sizes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    sizes: Sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveGpus:
    wish: GpuSelection
    frees: bool = False
    """It gives some back, and gets none: somebody else may get these in the same run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unshare:
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeKeys:
    keys: tuple[PublicKey, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Renew:
    renewal: Renewal


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """Its home is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What the file says is kept with the container: later it tells who changed what."""

    mark: Mark


Step: TypeAlias = (
    Make | Replace | Resize | GiveGpus | Share | Unshare | ChangeKeys | Renew | Remove | Note
)


class Kind(str, Enum):
    SAME = "same"
    MAKE = "make"
    FINISH = "finish"
    """A run that made it was interrupted."""
    CHANGE = "change"
    REPLACE = "replace"
    REMOVE = "remove"
    STAYS = "stays"
    """It is not in the file, and is not removed."""
    ENDED = "ended"
    """It was removed at the end of its person's time, as the file says."""


class Why(str, Enum):
    """Why a difference stays."""

    OUTSIDE = "outside"
    """Somebody changed the container, and not the file."""
    ROOT = "root"
    """Only a root that is made again has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    word: str
    has: str | None
    """As `texts` has it; None: not said, not known."""
    wants: str
    outside: bool = False
    """The file says what it said before: somebody changed the container."""
    left: Why | None = None
    """Why it is not changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One container."""

    name: str
    kind: Kind
    differences: tuple[Difference, ...] = ()
    steps: tuple[Step, ...] = ()
    wanted: Wanted | None = None
    present: Present | None = None
    problems: tuple[str, ...] = ()

    @property
    def is_changed(self) -> bool:
        """Not where only a note is written."""
        return any(not isinstance(step, Note) for step in self.steps)

    @property
    def left(self) -> tuple[Difference, ...]:
        return tuple(one for one in self.differences if one.left is not None)

    @property
    def changes(self) -> tuple[Difference, ...]:
        return tuple(one for one in self.differences if one.left is None)
