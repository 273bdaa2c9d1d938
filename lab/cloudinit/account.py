"""The account of a container's user, as one text: for users, and for those who judge an image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.cloudinit.render import render
from lab.places import CLOUD_INIT

TEMPLATE: Final = "container.yaml.j2"
UID: Final = 1000
"""The account is always this one, so that a kept home fits the next container."""

_PEOPLE: Final = range(1000, 60000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who a container is for."""

    name: str
    keys: tuple[str, ...]
    groups: tuple[str, ...] = ()
    """Those that the template names."""
    locked: bool = True
    """No password lets in."""

    @property
    def all_groups(self) -> tuple[str, ...]:
        """Beside its own."""
        return tuple(dict.fromkeys(("sudo", *self.groups)))


def account_text(account: Account, directory: Path | None = None) -> str:
    """The cloud-config that makes ACCOUNT; a lab's own DIRECTORY may say it otherwise."""
    values = {
        "account": account.name,
        "uid": UID,
        "gid": str(UID),
        "groups": list(account.all_groups),
        "keys": list(account.keys),
        "lock_password": account.locked,
    }
    return render(TEMPLATE, account_directory(directory), values)


def account_directory(directory: Path | None) -> Path:
    """Where the text comes from: DIRECTORY when it has one, else the one that is shipped."""
    has_one = directory is not None and (directory / TEMPLATE).is_file()
    return directory if directory is not None and has_one else CLOUD_INIT


def obstacles(passwd: str, group: str, groups: Sequence[str]) -> tuple[str, ...]:
    """Why no account that joins GROUPS can be made where PASSWD and GROUP are these. Pure."""
    return tuple(_obstacles(passwd, group, groups))


def _obstacles(passwd: str, group: str, groups: Sequence[str]) -> Iterator[str]:
    for name in _named(passwd, UID):
        yield f"the account {name} has the uid {UID}, which is reserved for the user"
    for name in _named(group, UID):
        yield f"the group {name} has the gid {UID}, which is reserved for the user"
    there = {line.partition(":")[0] for line in group.splitlines()}
    for name in groups:
        if name not in there:
            yield f"there is no group {name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    name: str
    uid: int
    home: str


def people(passwd: str) -> tuple[Person, ...]:
    """The accounts in PASSWD that were made for somebody, by their uid. Pure."""
    found = []
    for line in passwd.splitlines():
        fields = line.split(":")
        if len(fields) > 5 and fields[2].isdecimal() and int(fields[2]) in _PEOPLE:
            found.append(Person(name=fields[0], uid=int(fields[2]), home=fields[5]))
    return tuple(found)


def _named(table: str, number: int) -> Iterator[str]:
    """The names that TABLE, a passwd or group file, gives to NUMBER."""
    for line in table.splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[2] == str(number):
            yield fields[0]
