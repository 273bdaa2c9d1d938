"""A lab in memory whose containers are in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from commands.views.lab_file import of_plan
from lab.notify.notice import nobody
from lab.report import Silent
from lab.settings.settings import Settings
from lab.yaml.tree import parse_tree
from provision.create.provision import Provisioned
from provision.expiry.renew import Means as RenewMeans
from provision.expiry.renew import renew
from provision.lab_file.apply import Means, Outcome, apply
from provision.lab_file.export import lab_text
from provision.lab_file.key_sources import with_keys
from provision.lab_file.look import Plan, look
from provision.lab_file.plan import Choice
from provision.lab_file.read import judged
from provision.lab_file.wanted import Wanted
from tests.support.builders.public_keys import ed25519
from tests.support.builders.stamping import SETTINGS, a_lab, stamp
from tests.support.fake_lxd.lxd import FakeLxd

FILE = Path("containers.yaml")
THREE = f"""\
sizes:
  small: {{cpus: 1, memory: 1GiB, disk: 4GiB, home: 2GiB}}
groups:
  students: {{template: base, size: small, gpus: none}}
containers:
  ann: {{group: students, people: {{ann: {{keys: ["{ed25519(1, "ann@desk")}"]}}}}}}
  ben: {{group: students, people: {{ben: {{keys: ["{ed25519(2, "ben@desk")}"]}}}}}}
  eve: {{group: students, until: 2027-06-30, people: {{eve: {{keys: ["{ed25519(3)}"]}}}}}}
"""


def read(text: str, shares: Sequence[str] = ()) -> tuple[Wanted, ...]:
    """As `apply` reads it; the keys, too."""
    every, problems = with_keys(judged(parse_tree(text, FILE), shares), warn=lambda _text: None)
    assert not problems
    return every


class Filed:
    """LXD's state is `lxd`, the file's text is `text`."""

    def __init__(self, text: str = THREE, settings: Settings = SETTINGS) -> None:
        self.lxd = a_lab()
        self.text = text
        self.settings = settings
        self.passwords: dict[str, str | None] = {}

    def edit(self, old: str, new: str) -> None:
        assert old in self.text
        self.text = self.text.replace(old, new)

    def look(self, lxd: FakeLxd | None = None, /, **choice: Any) -> Plan:
        every = read(self.text, tuple(self.settings.shares))
        return look(lxd or self.lxd, self.settings, every, Choice(**choice), Silent())

    def plan(self, **choice: Any) -> list[str]:
        """What is told; nothing is changed."""
        before = list(self.lxd.changes)
        lines = of_plan(self.look(**choice))
        assert self.lxd.changes == before
        return lines

    def apply(self, lxd: FakeLxd | None = None, /, **choice: Any) -> Outcome:
        there = lxd or self.lxd
        return apply(self._means(there), self.look(there, **choice))

    def export(self) -> str:
        return lab_text(self.lxd, self.settings)

    def config(self, name: str) -> Mapping[str, str]:
        return self.lxd.store.instances["default", name].config

    def _means(self, lxd: FakeLxd) -> Means:
        def made(one: Provisioned) -> None:
            assert one.summary is not None
            self.passwords[one.summary["name"]] = one.password

        def start(name: str) -> bool:
            lxd.start(name)
            return True

        how = RenewMeans(
            lxd=lxd,
            settings=self.settings,
            report=Silent(),
            tell=nobody,
            stamp=partial(stamp, lxd, settings=self.settings),
            start=start,
        )
        return Means(
            lxd=lxd,
            settings=self.settings,
            report=Silent(),
            stamp=partial(stamp, lxd, settings=self.settings),
            renew=partial(renew, how),
            made=made,
        )
