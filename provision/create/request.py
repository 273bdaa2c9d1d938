"""What a person asked for, and how it is kept to tell a second run from a new wish."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lab.errors import InputError
from lab.gpu_selection import GpuSelection
from lab.names import check_account, check_instance_name, nearest_name
from lab.sizes import as_limit, format_size
from provision.keys.public_key import PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A container wished for. Its names are valid from construction on."""

    name: str
    account: str = ""
    """The login inside; the container's name where none is given."""
    template: str
    """Full or short name; the full one once the release is known."""
    keys: tuple[PublicKey, ...] = field(default=(), repr=False)
    cpus: int | None = None
    memory_bytes: int | None = None
    disk_bytes: int | None = None
    """Quota of the root; None: what the template says."""
    home_bytes: int | None = None
    """Quota of /home; None: the same as the root's."""
    password: bool = False
    shares: tuple[str, ...] | None = None
    """None: what the settings say for a new container, what it has for one that is there."""
    until: str | None = None
    """`2027-01-31` or `never`; None: what the home says, or the settings."""
    mail: str | None = None
    gpus: GpuSelection | None = None
    """None: what the settings say for a new container, what it has for one that is there."""
    only_gpus: bool = False
    """Nothing else was asked for: all else stays as it is in a container that is there."""
    own_account: bool = False
    """No account was named: of a container that is there, it is the one that it has."""
    only_name: bool = False
    """Nothing was asked for: one that is half made is finished as it was asked for."""

    def __post_init__(self) -> None:
        check_instance_name(self.name)
        if self.account:
            check_account(self.account)
            return
        try:
            check_account(self.name)
        except InputError as error:
            near = nearest_name(self.name) or "ACCOUNT"
            raise InputError(
                f"{self.name} can be the name of the container, but not of the account in it.",
                details=f"{error.brief} {error.details}",
                fix=f"Name the account: --account {near} (the container stays {self.name}).",
            ) from error
        object.__setattr__(self, "account", self.name)
        object.__setattr__(self, "own_account", True)

    @property
    def wants_password(self) -> bool:
        """Without a key there is no other way in."""
        return self.password or not self.keys

    def of_template(self, name: str) -> Request:
        return replace(self, template=name)

    def of_account(self, name: str) -> Request:
        return replace(self, account=name)

    def with_shares(self, names: tuple[str, ...]) -> Request:
        return replace(self, shares=names)

    def canonical(self) -> str:
        """As `user.lab.request`: the same text for the same wish, without secrets.

        Without the GPUs: those a container has are told by its devices, and may be changed.
        Without shares, too, where nothing was said of them.
        """
        shares = {} if self.shares is None else {"shares": sorted(self.shares)}
        wish = {
            **shares,
            "template": self.template,
            "account": self.account,
            "cpus": self.cpus,
            "memory": self.memory_bytes,
            "disk": self.disk_bytes,
            "home": self.home_bytes,
            "keys": sorted(key.fingerprint for key in self.keys),
            "password": self.wants_password,
        }
        return json.dumps(wish, sort_keys=True, separators=(",", ":"))


def wanted_password(kept: str) -> bool:
    """Whether the wish KEPT, as `canonical` writes it, was for a password."""
    try:
        return bool(json.loads(kept)["password"])
    except (ValueError, TypeError, KeyError):
        return False


def differences(kept: str, asked: str) -> tuple[str, ...]:
    """Line by line what ASKED wants other than KEPT says, both canonical; () when nothing."""
    if kept == asked:
        return ()
    new = json.loads(asked)
    try:
        old = json.loads(kept)
        old_keys = set(old["keys"])
    except (ValueError, TypeError, KeyError):
        return ("the options stored with the container cannot be read (user.lab.request)",)
    lines = [
        f"{label}: {_shown(word, old.get(word))} now, {_shown(word, new[word])} requested"
        for word, label in _LABELS.items()
        if old.get(word) != new[word]
    ]
    given, taken = _other_shares(old, new)
    lines += [f"share: {name} is present, not requested" for name in taken]
    lines += [f"share: {name} is requested, not present" for name in given]
    lines += [
        f"key: {key} is present, not requested" for key in sorted(old_keys - set(new["keys"]))
    ]
    lines += [
        f"key: {key} is requested, not present" for key in sorted(set(new["keys"]) - old_keys)
    ]
    return tuple(lines)


def resize_options(kept: str, asked: str) -> tuple[str, ...]:
    """The options of `resize` that give what ASKED wants other than KEPT, both canonical."""
    new = json.loads(asked)
    try:
        old = dict(json.loads(kept))
    except (ValueError, TypeError):
        return ()
    return tuple(
        f"--{word} {new[word] if word == 'cpus' else as_limit(new[word])}"
        for word in RESIZED
        if new[word] is not None and old.get(word) != new[word]
    )


def share_commands(name: str, kept: str, asked: str) -> tuple[str, ...]:
    """The commands that give and take the shares that ASKED wants other than KEPT says."""
    try:
        given, taken = _other_shares(dict(json.loads(kept)), json.loads(asked))
    except (ValueError, TypeError):
        return ()
    return (
        *([f"invoke share {name} {' '.join(given)}"] if given else []),
        *([f"invoke unshare {name} {' '.join(taken)}"] if taken else []),
    )


def _other_shares(
    old: Mapping[str, object], new: Mapping[str, object]
) -> tuple[list[str], list[str]]:
    """Those to give and those to take; none where nothing is said of shares."""
    asked = new.get("shares")
    if not isinstance(asked, list):
        return [], []
    kept = old.get("shares", [])
    has = kept if isinstance(kept, list) else []
    return sorted(set(asked) - set(has)), sorted(set(has) - set(asked))


RESIZED = ("cpus", "memory", "disk", "home")
_LABELS = {
    "template": "template",
    "account": "account",
    "cpus": "CPUs",
    "memory": "memory",
    "disk": "disk",
    "home": "home",
    "password": "password",
}
_UNSAID = {
    "cpus": "no limit",
    "memory": "the lab's default",
    "disk": "the template's default",
    "home": "the same as the disk's",
}


def _shown(word: str, value: object) -> str:
    if value is None:
        return _UNSAID.get(word, "nothing")
    if word in {"memory", "disk", "home"} and isinstance(value, int):
        return format_size(value)
    if isinstance(value, bool):
        return "one" if value else "none"
    return str(value)
