"""A lab whose images and containers were made by an earlier version goes on with this one.

recorded/lab-45ea8a1.json is what commit 45ea8a1 wrote on its objects: aliases, properties, keys,
devices. Properties, `user.lab.*` keys and aliases are read by every later version.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from images.releases.published import ReleaseState, published, users
from lab import labels
from lab.lxd.model import Image, State
from lab.report import Silent
from provision import lifecycle, listing
from tests.support.builders.four_gpus import FOUR
from tests.support.builders.stamping import SETTINGS, Inside, bob, stamp
from tests.support.builders.upgrading import run
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import EPOCH, FakeImage, FakeInstance
from tests.unit.test_isolate import share

RECORDED = json.loads((Path(__file__).parent / "recorded" / "lab-45ea8a1.json").read_text())


@pytest.fixture
def lxd() -> FakeLxd:
    """With the two containers running."""
    lxd = FakeLxd()
    store = lxd.store
    store.on_run = Inside()
    store.host_gpus = FOUR
    for one in RECORDED["images"]:
        image = Image(
            fingerprint=one["fingerprint"],
            aliases=tuple(one["aliases"]),
            properties=one["properties"],
            size_bytes=1 << 20,
            created_at=EPOCH,
        )
        store.images[image.fingerprint] = FakeImage(image=image)
        store.aliases |= dict.fromkeys(image.aliases, image.fingerprint)
    for one in RECORDED["instances"]:
        store.instances["default", one["name"]] = FakeInstance(
            state=State.RUNNING,
            config=one["config"],
            devices=one["devices"],
            profiles=tuple(one["profiles"]),
        )
    for one in RECORDED["volumes"]:
        store.volumes[one["pool"], one["name"]] = one["config"]
    return lxd


def test_releases_are_what_they_were(lxd: FakeLxd) -> None:
    found = published(lxd, "lab")
    assert [(one.name, one.state) for one in found] == [
        ("base 20261121.1", ReleaseState.CURRENT),
        ("docker-nested 20261121.1", ReleaseState.CURRENT),
    ]
    assert found[1].release.needs.config == {"security.nesting": "true"}
    assert found[1].release.needs.ports == {"rdp": 3389}
    assert users(found[0], lxd.instances()) == ["ann", "bob"]


def test_containers_are_listed_and_shown(lxd: FakeLxd) -> None:
    rows = {one["name"]: one for one in listing.containers(lxd, SETTINGS)}
    assert {name: (one["template"], one["gpus"], one["driver"]) for name, one in rows.items()} == {
        "ann": ("base", [], "535.261.03"),
        "bob": ("base", ["0000:31:00.0"], "535.261.03"),
    }
    shown = listing.show(lxd, SETTINGS, "bob")
    assert (shown["owner"], shown["half_made"], shown["ids"]) == ("bob", None, None)
    assert [one["name"] for one in shown["volumes"]] == ["home-bob"]


def test_the_same_request_changes_nothing(lxd: FakeLxd) -> None:
    before = lxd.store.instances["default", "ann"].config.copy()
    done = stamp(lxd, bob(name="ann", account="ann"))
    assert (done.changed, done.actions) == (False, ())
    assert lxd.store.instances["default", "ann"].config == before


def test_a_home_is_kept_and_used_again(lxd: FakeLxd) -> None:
    removed = lifecycle.destroy(lxd, SETTINGS, "bob", purge=False, report=Silent())
    assert any("home-bob" in one for one in removed.kept)
    assert ("default", "home-bob") in lxd.store.volumes
    stamp(lxd, bob(name="bob"))
    assert lxd.store.instances["default", "bob"].devices["home"]["source"] == "home-bob"


def test_one_gets_a_newer_release_and_ids_of_its_own(lxd: FakeLxd) -> None:
    """Its keys are in its home: they are not revoked."""
    made = json.loads(json.dumps(RECORDED["images"][0]).replace("20261121.1", "20261126.1"))
    image = Image(fingerprint=made["fingerprint"], properties=made["properties"], created_at=EPOCH)
    lxd.store.images[image.fingerprint] = FakeImage(image=image)
    lxd.store.aliases["lab/base"] = image.fingerprint
    # LXD notes it with every start.
    share(lxd, "bob")
    devices = dict(lxd.store.instances["default", "bob"].devices)
    assert run(lxd, "bob").done == ("bob",)
    bob = lxd.store.instances["default", "bob"]
    assert (bob.config[labels.VERSION], bob.devices) == ("20261126.1", devices)
    assert bob.config["security.idmap.isolated"] == "true"
    assert bob.config["volatile.eth0.hwaddr"] == "00:16:3e:00:00:01"
    assert not any(path.startswith("/etc/ssh/labstamp") for path in bob.files)
    kept = lxd.store.instances["default", "bob-kept"]
    assert kept.config[labels.VERSION] == "20261121.1"
