"""A lab in memory whose LXD loses its database, and what `lxd recover` finds in the pool of it."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab import labels
from lab.lxd.model import Network, Pool, Profile
from lab.machine.lxd_recover import Pool as LostPool
from lab.report import Silent
from provision.lab_state.actions import Plan
from provision.lab_state.document import LabState, as_text, read_state
from provision.lab_state.gather import gather
from provision.lab_state.import_state import import_state
from tests.support.builders.lost_files import a_lab_with_losses
from tests.support.builders.stamping import SETTINGS, bob, stamp
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeInstance, FakeVolume

SOURCE = {"source": "/var/lib/lxd/disks/default.img", "size": "20GiB", "volatile.initial": "x"}


@dataclass
class Disk:
    """What a pool holds beside LXD's database: files, and each instance's record of itself."""

    pools: Mapping[str, Pool] = field(default_factory=dict)
    instances: Mapping[tuple[str, str], FakeInstance] = field(default_factory=dict)
    volumes: Sequence[tuple[str, str]] = ()
    contents: Mapping[tuple[str, str], FakeVolume] = field(default_factory=dict)
    asked: list[tuple[LostPool, ...]] = field(default_factory=list)

    def find(self, lxd: FakeLxd, pools: tuple[LostPool, ...]) -> None:
        """As `lxd recover`: instances with their record, volumes without any key."""
        self.asked.append(pools)
        names = {one.name for one in pools}
        store = lxd.store
        store.pools.update({name: one for name, one in self.pools.items() if name in names})
        store.instances.update(copy.deepcopy(dict(self.instances)))
        store.volumes.update({place: {} for place in self.volumes if place[0] in names})
        store.contents.update(copy.deepcopy(dict(self.contents)))
        for place in self.volumes:
            for name, kept in store.contents[place].kept.items():
                store.contents[place].kept[name] = type(kept)(
                    owners=kept.owners, config={}, files=kept.files
                )


def a_lab() -> FakeLxd:
    """bob has a snapshot and a port, ann nothing special; a share's volume is the admin's."""
    lxd = a_lab_with_losses()
    stamp(lxd, bob(name="ann"))
    store = lxd.store
    store.pools["default"] = Pool(name="default", driver="btrfs", config=SOURCE)
    store.projects["lab-build"] = {"features.images": "false"}
    store.networks["lab-builders"] = Network(
        name="lab-builders",
        type="bridge",
        managed=True,
        config={"ipv4.address": "10.9.0.1/24", "security.acls": "apart", labels.BUILDERS: "true"},
    )
    store.acls["apart"] = ({"action": "allow", "source": "10.9.0.1/32"},)
    store.volumes["default", "data"] = {"security.unmapped": "true", "size": "1GiB"}
    store.contents["default", "data"] = FakeVolume()
    lxd.update("ann", devices={"data": {"type": "disk", "pool": "default", "source": "data"}})
    store.instances["default", "theirs"] = FakeInstance(profiles=("default",))
    store.volumes["default", "theirs"] = {"size": "1GiB"}
    store.contents["default", "theirs"] = FakeVolume()
    lxd.changes.clear()
    return lxd


def lose_database(lxd: FakeLxd) -> Disk:
    store = lxd.store
    disk = Disk(
        pools=dict(store.pools),
        instances=copy.deepcopy(store.instances),
        volumes=tuple(store.volumes),
        contents=copy.deepcopy(store.contents),
    )
    for table in (store.pools, store.instances, store.volumes, store.contents, store.networks):
        table.clear()
    store.acls.clear()
    store.images.clear()
    store.aliases.clear()
    store.projects = {"default": {}}
    store.profiles = {"default": Profile(name="default")}
    lxd.changes.clear()
    return disk


def saved(lxd: FakeLxd, directory: Path) -> LabState:
    """As it is read from the file that was written."""
    path = directory / "state.json"
    path.write_text(as_text(gather(lxd, SETTINGS)))
    path.chmod(0o600)
    return read_state(path)


def brought_back(
    lxd: FakeLxd, state: LabState, disk: Disk | None = None, *, from_file: bool = False
) -> Plan:
    found = disk or Disk()
    return import_state(
        lxd,
        SETTINGS,
        state,
        Silent(),
        from_file=from_file,
        find=lambda pools: found.find(lxd, pools),
    )
