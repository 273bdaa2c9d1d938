"""What a plan consists of. Each says itself in a line, for --plan. None holds a secret."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from dataclasses import dataclass, field

from lab.lxd.devices import root_of
from lab.lxd.idmap import IdRange
from lab.lxd.model import Grant, InstanceSpec
from lab.shares.devices import places_of
from lab.sizes import format_size
from provision.clone.cleaning import CLEANED
from provision.keys.public_key import PublicKey
from provision.shares.prepare import PrepareShare


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveLeftover:
    """An instance that a crashed run left half made, and that nobody was able to log in to."""

    name: str

    def __str__(self) -> str:
        return f"remove the half-made container {self.name} that an interrupted run left"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOver:
    """What a cut-off run left half made is this run's from here on, to be finished."""

    name: str
    builder: str

    def __str__(self) -> str:
        return f"continue with the container {self.name}, which an interrupted run left half made"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateVolume:
    pool: str
    name: str
    config: Mapping[str, str]
    size_bytes: int | None

    def __str__(self) -> str:
        size = "no quota" if self.size_bytes is None else format_size(self.size_bytes)
        return f"create the volume {self.name} for /home in pool {self.pool} ({size})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReuseVolume:
    """A home kept from an earlier container; SIZE is its new quota where that changes.

    UNUSED: a cut-off run made it for a container that never started.
    """

    pool: str
    name: str
    config: Mapping[str, str | None] = field(default_factory=dict)
    size_bytes: int | None = None
    unused: bool = False
    moved_to: IdRange | None = None
    """Where its files have other ids as yet."""

    def __str__(self) -> str:
        if self.unused:
            text = f"use the volume {self.name} for /home, which an interrupted run made"
        else:
            text = f"use the kept volume {self.name} in pool {self.pool} as /home again"
        if self.size_bytes is not None:
            text += f", grown to {format_size(self.size_bytes)}"
        if self.moved_to is not None:
            text += f", and change the owners of all its files to the ids {self.moved_to}"
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveCopy:
    """A copy of a home, of a container that never started. Its first owner's files are in it."""

    pool: str
    name: str

    def __str__(self) -> str:
        return f"remove the half-made volume {self.name} that an interrupted run left"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyVolume:
    """A new home that holds the files of another."""

    pool: str
    name: str
    source: tuple[str, str]
    """Pool and name."""
    config: Mapping[str, str]
    size_bytes: int | None

    def __str__(self) -> str:
        size = "no quota" if self.size_bytes is None else format_size(self.size_bytes)
        return f"copy the volume {self.source[1]} to {self.name} in pool {self.pool} ({size})"


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanCopy:
    """Before its first boot, what belongs to the owner of SOURCE is taken out of the copy NAME."""

    name: str
    source: str
    account: str
    """The one that is made later."""
    owner: str | None
    """Whose its home was, where it is a copy, too."""
    keys: tuple[str, ...]
    devices: tuple[str, ...]
    """What it has instead of those of SOURCE, which LXD would have copied."""

    def __str__(self) -> str:
        what = "; ".join(CLEANED)
        homes = "; the same in /home" if self.owner else ""
        return f"remove from {self.name} what belongs to {self.source}: {what}{homes}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateInstance:
    spec: InstanceSpec
    release: str
    """`base 20261121.1`."""
    gpus: tuple[Grant, ...] = ()
    unfiltered: tuple[str, ...] = ()
    """What keeps it from other addresses than its own is lacking, and why."""
    ids: IdRange | None = None
    """Those of its person alone; None: as every container without a range of its own."""

    def __str__(self) -> str:
        config = self.spec.config
        root = root_of(self.spec.devices)
        said = [
            f"{config['limits.cpu']} CPUs" if "limits.cpu" in config else "all CPUs",
            config.get("limits.memory", "all") + " memory",
            config.get("limits.processes", "unlimited") + " processes",
            ((root[1].get("size") if root else None) or "unlimited") + " disk",
            *([f"ids {self.ids}"] if self.ids else []),
            *(f"GPU {gpu.label}" for gpu in self.gpus),
            *(f"share {name} at {path}" for name, path in places_of(self.spec.devices)),
        ]
        lacking = f"; its network is not filtered: {'; '.join(self.unfiltered)}"
        return (
            f"create the container {self.spec.name} from {self.release} ({', '.join(said)})"
            f"{lacking if self.unfiltered else ''}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveKeys:
    """Before the first start, so that sshd never answers to another."""

    name: str
    account: str
    keys: tuple[PublicKey, ...]
    revoked: tuple[str, ...] = ()
    """Fingerprints of keys that its home was given to before."""

    def __str__(self) -> str:
        text = f"let {self.account} log in with {counted(self.keys)}"
        return f"{text}, and revoke {counted(self.revoked)} used before" if self.revoked else text


def counted(keys: Sized) -> str:
    count = len(keys)
    return f"{count or 'no'} ssh key{'' if count == 1 else 's'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Boot it and wait until ssh answers, and RDP on the port RDP where it has a desktop."""

    name: str
    account: str
    rdp: int | None = None

    def __str__(self) -> str:
        who = "ssh answers" if self.rdp is None else "ssh and the desktop answer"
        return f"start {self.name} and wait until {who}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPassword:
    name: str
    account: str

    def __str__(self) -> str:
        return f"set a random password for {self.account}, shown once"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkReady:
    """From here on it is the user's: protected, and no run takes it for a leftover."""

    name: str
    account: str

    def __str__(self) -> str:
        return f"let {self.account} log in to {self.name}, and protect it against deletion by hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeGpus:
    """Other GPUs for a container that is there; live where it runs."""

    name: str
    devices: Mapping[str, Mapping[str, str] | None]
    config: Mapping[str, str | None]
    added: tuple[Grant, ...] = ()
    given: tuple[str, ...] = ()
    """PCI addresses and UUIDs of parts: what it has afterwards."""
    taken: tuple[str, ...] = ()
    running: bool = False
    restart: bool = False
    """The new GPUs can be used only after its next start."""

    def __str__(self) -> str:
        text = f"give {self.name} the GPUs {', '.join(self.given)}" if self.given else ""
        if self.taken:
            text += f"{', ' if text else ''}take {', '.join(self.taken)} from {self.name}"
        return (text or f"record that {self.name} has no GPU") + self.proviso

    @property
    def proviso(self) -> str:
        """What a running container keeps or lacks until it is restarted; goes on after a text."""
        if self.restart:
            return f"; works after: invoke restart {self.name}"
        if self.taken and self.running:
            # LXD takes the node away, not what is open or mounted elsewhere (tried on 5.0.2).
            return f"; running processes keep these GPUs until: invoke restart {self.name}"
        return ""


Action = (
    RemoveLeftover
    | TakeOver
    | CreateVolume
    | ReuseVolume
    | RemoveCopy
    | CopyVolume
    | CreateInstance
    | CleanCopy
    | GiveKeys
    | Start
    | SetPassword
    | MarkReady
    | ChangeGpus
    | PrepareShare
)
