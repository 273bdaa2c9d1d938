"""Whose time is noted: everybody who has a container of labstamp's, or a home of one that was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from lab import labels
from lab.dates import read_period
from lab.errors import InputError
from lab.lxd.model import Instance, State, Volume
from lab.lxd.port import Lxd
from lab.settings.settings import Settings
from provision.expiring import KEYS, Mark, read_mark, read_until, today_of
from provision.expiring import State as Done
from provision.expiry.machine import Facts
from provision.expiry.wish import read_wish
from provision.homes import Stores, changes, read_stores
from provision.managed import is_managed


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    name: str
    """Of the container that they have or had."""
    container: Instance | None
    homes: tuple[Volume, ...]

    @property
    def home(self) -> Volume | None:
        """InputError for two: it is not known which one counts."""
        if len(self.homes) > 1:
            raise InputError(
                f'"{self.name}" has {len(self.homes)} homes: '
                + ", ".join(f"{each.name} in pool {each.pool}" for each in self.homes)
                + ".",
                details="It is not known which one to use.",
                fix="Detach the others from this name, one by one:\n"
                f"lxc storage volume set POOL VOLUME {labels.CONTAINER}=",
            )
        return self.homes[0] if self.homes else None

    @property
    def noted(self) -> Mapping[str, str]:
        """The keys that count."""
        if self.home is not None:
            return self.home.config
        return self.container.config if self.container else {}

    @property
    def mark(self) -> Mark | None:
        return read_mark(self.noted.get(labels.EXPIRY))

    @property
    def until(self) -> date | None:
        return read_until(self.noted)

    @property
    def mail(self) -> str | None:
        return self.noted.get(labels.MAIL)

    @property
    def is_level(self) -> bool:
        """Whether the container has the keys of the home; a run that was killed leaves others."""
        if self.home is None or self.container is None:
            return True
        has = self.container.config
        return all(has.get(key) == self.home.config.get(key) for key in KEYS)

    @property
    def is_leaving(self) -> bool:
        """Whether a run has begun to remove the container: the wish is of the same backup."""
        mark = self.mark
        if self.container is not None or mark is None or mark.state is not Done.ARCHIVED:
            return False
        wish = read_wish(self.noted.get(labels.WISH))
        return wish is not None and wish.backup == mark.backup

    def facts(self, settings: Settings, today: date) -> Facts:
        own = read_period(self.noted.get(labels.FREEZE))
        used = self.container.last_used_at if self.container else None
        return Facts(
            until=self.until,
            today=today,
            settings=settings.expiry,
            mark=self.mark,
            own_freezes=(own,) if own else (),
            has_root=self.container is not None,
            has_home=self.home is not None,
            running=self.container is not None and self.container.state is State.RUNNING,
            started=today_of(used, settings) if used else None,
            leaving=self.is_leaving,
        )


def people(lxd: Lxd) -> tuple[Person, ...]:
    """By name."""
    stores = read_stores(lxd)
    homes, containers = stores.people(), _containers(stores)
    return tuple(
        Person(name=name, container=containers.get(name), homes=homes.get(name, ()))
        for name in sorted({*homes, *containers})
    )


def person(lxd: Lxd, name: str) -> Person | None:
    """None where there is neither a container of labstamp's by NAME nor a home of one."""
    stores = read_stores(lxd)
    container, homes = _containers(stores).get(name), stores.homes(name)
    found = Person(name=name, container=container, homes=homes)
    return found if container is not None or homes else None


def note(lxd: Lxd, person: Person, wanted: Mapping[str, str | None]) -> None:
    """WANTED on the home, then on the container: what is on the home counts."""
    home = person.home
    if home is not None and (config := changes(home.config, wanted)):
        lxd.update_volume(home.pool, home.name, config)
    if person.container is not None and (config := changes(person.container.config, wanted)):
        lxd.update(person.name, config=config)


def level(lxd: Lxd, person: Person) -> None:
    """Afterwards the container has the keys of the home."""
    if person.home is not None and not person.is_level:
        note(lxd, person, {key: person.home.config.get(key) for key in KEYS})


def _containers(stores: Stores) -> dict[str, Instance]:
    return {each.name: each for each in stores.instances if is_managed(each)}
