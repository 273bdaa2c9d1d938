"""A container in memory that gets a root of another release, and what is to stay."""

from __future__ import annotations

from dataclasses import replace

from lab import labels
from lab.dpkg import STATES, STATUS, packed
from lab.errors import NotFound
from lab.lxd.model import Instance, State
from lab.lxd.port import Lxd
from lab.release import PACKAGES
from lab.report import Silent
from provision.former import Stage, read_mark
from provision.lab_info import PLACE as LAB_INFO
from provision.lab_info import PROGRAM
from provision.upgrade.apply import UpgradeContext
from provision.upgrade.plan import Wish
from provision.upgrade.upgrade import Outcome, failure, plan_upgrade, upgrade
from tests.support.builders.stamping import (
    BASE,
    SETTINGS,
    a_lab,
    banner,
    bob,
    greeted,
    hasty,
    publish,
    stamp,
)
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeInstance

BOB = ("default", "bob")
NEW = "20261126.1"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
HASH = "$y$j9T$abc$defghijklmnop"
THESIS = "/home/thesis"


def a_lab_with_a_newer_release() -> FakeLxd:
    """A lab with bob in it, who has years of work; and a newer release."""
    lxd = a_lab()
    stamp(lxd, bob())
    lxd.write_file("bob", THESIS, b"years")
    lxd.write_file("bob", HOST_KEY, b"secret of bob", mode=0o600)
    lxd.write_file("bob", "/etc/machine-id", b"1234\n")
    lxd.write_file("bob", "/etc/shadow", f"root:*:1::\nbob:{HASH}:2::\n".encode())
    lxd.write_file("bob", "/opt/mine", b"by hand")
    lxd.update(
        "bob",
        config={
            "limits.cpu": "3",
            "boot.autostart": "true",
            "user.note": "by hand",
            labels.SHARES: "{}",
        },
        devices={"nas": {"type": "disk", "source": "/srv/nas", "path": "/nas"}},
    )
    has(lxd, "bob", "bash", "htop", "libncurses6")
    lxd.create_snapshot("bob", "monday")
    publish(lxd, replace(BASE, version=NEW))
    for version in ("20261121.1", NEW):
        released = lxd.store.images[f"base-{version}"]
        packages = {PACKAGES: packed({"bash": "5"})}
        lxd.set_image_properties(released.image.fingerprint, packages)
    lxd.changes.clear()
    return lxd


def has(lxd: FakeLxd, name: str, *packages: str) -> None:
    """What dpkg and apt say in NAME; a library was installed by itself."""
    stanza = "Package: {0}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5\n\n"
    lxd.write_file(name, STATUS, "".join(map(stanza.format, packages)).encode())
    lxd.write_file(name, STATES, b"Package: libncurses6\nAuto-Installed: 1\n\n")


def run_well(lxd: FakeLxd, **wish: object) -> None:
    """`run`, which fails the test with what went wrong."""
    failed = failure(run(lxd, **wish))
    if failed is not None:
        raise failed


def run(lxd: FakeLxd, *names: str, **wish: object) -> Outcome:
    asked = Wish(**wish)  # type: ignore[arg-type]
    wanted = names or ("bob",)
    actions = plan_upgrade(lxd, SETTINGS, wanted, asked, read_file=read_fake)
    context = UpgradeContext(
        lxd=lxd,
        report=Silent(),
        remote=SETTINGS.remote,
        timeouts=hasty(),
        probe_ssh=banner,
        greet=greeted,
        read_file=read_fake,
        clock=lambda: 0.0,
    )
    return upgrade(context, SETTINGS, actions, asked)


def told(lxd: FakeLxd, *names: str, **wish: object) -> list[str]:
    asked = Wish(**wish)  # type: ignore[arg-type]
    wanted = names or ("bob",)
    actions = plan_upgrade(lxd, SETTINGS, wanted, asked, read_file=read_fake)
    return list(map(str, actions))


def read_fake(lxd: Lxd, instance: Instance, path: str, most: int) -> bytes | None:
    """Of a root that runs, too."""
    try:
        return lxd.read_file(instance.name, path, most=most)
    except NotFound:
        return None


def bobs(lxd: FakeLxd) -> FakeInstance:
    return lxd.store.instances[BOB]


def wish_of(instance: FakeInstance) -> dict[str, object]:
    """What is not to change: all but what is said of the root itself."""
    own = {labels.VERSION, labels.KEPT_ROOT, labels.UPGRADE, "cloud-init.user-data"}
    return {
        "config": {
            key: value
            for key, value in instance.config.items()
            if key not in own and not key.startswith(("image.", "volatile."))
        },
        "mac": instance.config["volatile.eth0.hwaddr"],
        "address": instance.address,
        "devices": instance.devices,
        "state": instance.state,
    }


def assert_upgraded(lxd: FakeLxd, before: dict[str, object]) -> None:
    instance = bobs(lxd)
    assert instance.config[labels.VERSION] == NEW
    assert wish_of(instance) == before
    assert lxd.read_file("bob", THESIS) == b"years"
    assert lxd.read_file("bob", HOST_KEY) == b"secret of bob"
    assert lxd.read_file("bob", "/etc/machine-id") == b"1234\n"
    assert instance.files[LAB_INFO].content == PROGRAM.read_bytes()
    assert "/opt/mine" not in instance.files
    kept = lxd.store.instances["default", instance.config[labels.KEPT_ROOT]]
    assert kept.state is State.STOPPED
    assert kept.files["/opt/mine"].content == b"by hand"
    assert kept.snapshots == ("monday",)
    assert set(map(str, kept.devices)) == {"root", "home", "eth0", "nas"}
    assert {name for name, one in kept.devices.items() if one != {"type": "none"}} == {"root"}
    assert labels.OWNER not in kept.config
    assert sorted(name for _, name in lxd.store.instances) == ["bob", "bob-kept"]


def assert_as_before(lxd: FakeLxd, before: dict[str, object]) -> None:
    instance = bobs(lxd)
    assert instance.config[labels.VERSION] != NEW
    assert wish_of(instance) == before
    assert instance.files["/opt/mine"].content == b"by hand"
    assert lxd.read_file("bob", THESIS) == b"years"
    assert not {labels.UPGRADE, labels.KEPT_ROOT} & instance.config.keys()
    assert sorted(name for _, name in lxd.store.instances) == ["bob"]


def half(lxd: FakeLxd) -> bool:
    marks = filter(None, map(read_mark, lxd.instances()))
    return any(mark.stage is not Stage.KEPT for mark in marks)


def bobs_config(lxd: FakeLxd) -> dict[str, str]:
    found = lxd.store.instances.get(BOB)
    return found.config if found else {}


def bobs_version(lxd: FakeLxd) -> str | None:
    return bobs_config(lxd).get(labels.VERSION)
