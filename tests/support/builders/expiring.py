"""A lab in memory whose people have end dates, an archive in a dict, and somebody who listens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from functools import partial

from lab import labels
from lab.dates import Period
from lab.errors import LabError
from lab.lxd.model import State
from lab.notify.notice import Notice, Told
from lab.report import Silent
from lab.settings.settings import Settings
from provision.create.provision import Provisioned
from provision.create.ready import SshProbe
from provision.create.request import Request
from provision.expiry.renew import Means, Renewal, Renewed, renew
from provision.expiry.run import Row, run
from provision.expiry.steps import Tools
from provision.running import bring_up_held
from tests.support.builders.stamping import SETTINGS, banner, bob, hasty, stamp
from tests.support.fake_lxd.lxd import FakeLxd

UTC = SETTINGS.model_copy(update={"timezone": "Etc/UTC"})


@dataclass
class Shelf:
    """An archive in memory: what was backed up, by id."""

    kept: dict[str, str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    for_ever: set[str] = field(default_factory=set)

    def make(self, name: str) -> str:
        if name in self.broken:
            raise LabError(f"The backup target refused {name}.")
        made = f"{name}-{len(self.kept)}"
        self.kept[made] = name
        return made

    def has(self, name: str, backup: str) -> bool:
        return self.kept.get(backup) == name

    def keep(self, name: str, backup: str) -> None:
        assert self.has(name, backup)
        self.for_ever.add(backup)


@dataclass
class Ear:
    """Hears every message; DEAF: none of them arrives."""

    heard: list[Notice] = field(default_factory=list)
    deaf: bool = False

    def __call__(self, notice: Notice) -> Told:
        if self.deaf:
            return Told(troubles=("line 1 (json) cannot be reached",))
        self.heard.append(notice)
        return Told(sent=1)

    def events(self, name: str) -> list[str]:
        return [one.event.value for one in self.heard if one.fields.get("name") == name]


@dataclass
class Lab:
    lxd: FakeLxd
    settings: Settings = UTC
    shelf: Shelf = field(default_factory=Shelf)
    ear: Ear = field(default_factory=Ear)
    probe: Callable[[str], SshProbe] = banner

    def let_in(self, name: str, until: str | None = None, **wishes: object) -> None:
        """With a file in the home."""
        stamp(self.lxd, bob(name=name, until=until, **wishes), settings=self.settings)
        self.lxd.write_file(name, "/home/thesis", name.encode())

    def at(self, day: date) -> Lab:
        self.lxd.store.now = datetime(day.year, day.month, day.day, 4, 30, tzinfo=timezone.utc)
        return self

    def night(self, day: date) -> tuple[Row, ...]:
        self.at(day)
        return run(self.tools)

    def nights(self, day: date, count: int) -> None:
        for number in range(count):
            self.night(day + timedelta(days=number))

    @property
    def tools(self) -> Tools:
        return Tools(
            lxd=self.lxd,
            settings=self.settings,
            archive=self.shelf,
            tell=self.ear,
            report=Silent(),
        )

    def renew(self, name: str, **wishes: object) -> Renewed:
        means = Means(
            lxd=self.lxd,
            settings=self.settings,
            report=Silent(),
            tell=self.ear,
            stamp=self._stamp,
            start=partial(
                bring_up_held,
                self.lxd,
                self.settings,
                report=Silent(),
                timeouts=hasty(),
                probe_ssh=self.probe,
            ),
        )
        return renew(means, name, Renewal(**wishes))  # type: ignore[arg-type]

    def _stamp(self, request: Request) -> Provisioned:
        return stamp(self.lxd, request, settings=self.settings)

    def state(self, name: str) -> str:
        """What there is of somebody."""
        instance = self.lxd.instance(name)
        if instance is not None:
            return "runs" if instance.state is State.RUNNING else "stopped"
        return "home" if ("default", f"home-{name}") in self.lxd.store.volumes else "nothing"

    def thesis(self, name: str) -> bytes:
        return self.lxd.store.contents["default", f"home-{name}"].files["/thesis"].content

    def config(self, name: str) -> dict[str, str]:
        """Of the home."""
        return dict(self.lxd.store.volumes["default", f"home-{name}"])

    def noted(self, name: str) -> tuple[str | None, ...]:
        """The same on home and container."""
        keys = (labels.UNTIL, labels.EXPIRY, labels.FREEZE, labels.MAIL)
        home, instance = self.config(name), self.lxd.instance(name)
        found = tuple(home.get(key) for key in keys)
        if instance is not None:
            assert tuple(instance.config.get(key) for key in keys) == found
        return found


def period(first: date, last: date) -> str:
    return str(Period(first, last))
