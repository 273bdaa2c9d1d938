"""A lab in memory with shares, whose directories are on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab import labels
from lab.errors import InputError
from lab.lxd.idmap import own_range
from lab.report import Silent
from lab.settings.settings import Settings
from provision.create.provision import Provisioned
from provision.create.request import Request
from provision.shares.share import share, unshare
from provision.shares.sharing import people
from tests.support.builders.sharing import (
    Trials,
    a_ground,
    directory,
    share_settings,
)
from tests.support.builders.stamping import a_lab, bob, stamp
from tests.support.fake_lxd.lxd import FakeLxd

BOB = ("default", "bob")


class Scene:
    """A lab with three shares, and bob and ann, who have none of them yet."""

    def __init__(self, tmp_path: Path) -> None:
        self.directory = tmp_path
        self.data = directory(tmp_path / "data", 0o755)
        for name, mode in (("sets", 0o755), ("scratch", 0o1777), ("team", 0o750), ("own", 0o755)):
            directory(self.data / name, mode)
        (self.data / "team" / "plan.txt").write_text("")
        self.kinds = {
            "sets": {"path": f"{self.data}/sets", "at": "/data/sets", "kind": "read-only"},
            "scratch": {"path": f"{self.data}/scratch", "at": "/scratch", "kind": "private-files"},
            "team": {"path": f"{self.data}/team", "at": "/team", "kind": "open"},
        }
        self.settings = share_settings(self.data, **self.kinds)
        self.trials = Trials()
        self.lxd = a_lab()
        for name in ("bob", "ann"):
            stamp(self.lxd, bob(name=name))
        self.lxd.changes.clear()

    def share(self, *names: str, lxd: FakeLxd | None = None, of: str = "bob") -> tuple[str, ...]:
        ground = a_ground(self.directory, self.trials)
        where = lxd or self.lxd
        return tuple(map(str, share(where, self.settings, of, names, Silent(), ground=ground)))

    def unshare(self, *names: str, lxd: FakeLxd | None = None, of: str = "bob") -> tuple[str, ...]:
        ground = a_ground(self.directory, self.trials)
        where = lxd or self.lxd
        return tuple(map(str, unshare(where, self.settings, of, names, Silent(), ground=ground)))

    def plan(self, *names: str) -> tuple[str, ...]:
        ground = a_ground(self.directory, self.trials)
        planned = share(
            self.lxd, self.settings, "bob", names, Silent(), only_plan=True, ground=ground
        )
        return tuple(map(str, planned))

    def stamp(self, request: Request, *, settings: Settings | None = None) -> Provisioned:
        return stamp(
            self.lxd,
            request,
            settings=settings or self.settings,
            ground=a_ground(self.directory, self.trials),
        )

    def refusal(self, *names: str) -> str:
        before = list(self.lxd.changes)
        with pytest.raises(InputError) as error:
            self.share(*names)
        assert self.lxd.changes == before
        return str(error.value)

    def has(self, name: str = "bob") -> dict[str, str]:
        """Device → where it is inside."""
        devices = self.lxd.store.instances["default", name].devices
        return {
            device: keys["path"] for device, keys in devices.items() if device.startswith("share-")
        }

    def kept(self, name: str = "bob") -> object:
        config = self.lxd.store.instances["default", name].config
        return json.loads(config[labels.REQUEST]).get("shares")

    def ids(self, name: str) -> tuple[int, int]:
        instance = self.lxd.instance(name)
        own = own_range(instance) if instance else None
        assert own is not None
        return people(own)
