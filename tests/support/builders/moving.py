"""Two labs in memory, and a container that goes from the one to the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lab import labels
from lab.lxd.model import Network, Server, State
from lab.report import Report, Silent
from lab.settings.remotes import RemoteSettings
from lab.settings.settings import Settings
from provision.create.ready import SshProbe
from provision.move.forget import forget
from provision.move.move import MoveContext, move, plan
from provision.move.obstacles import NEEDED
from provision.move.remote import settings_of
from provision.moving import MoveMark, Stage, move_mark
from tests.support.builders.stamping import SETTINGS as USUAL
from tests.support.builders.stamping import a_lab, banner, bob, hasty, stamp
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeInstance

SETTINGS = USUAL.model_copy(
    update={"remotes": {"lab2": RemoteSettings(url="https://lab2.example:8443")}}
)
BOB = ("default", "bob")
HOME = ("default", "home-bob")
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
EXTENSIONS = frozenset({"projects", "cloud_init", *NEEDED})


def a_server(number: int) -> FakeLxd:
    """A lab with releases and nobody in it, on a bridge of its own."""
    lxd = a_lab()
    lxd.store.server = Server(
        version="5.0.2",
        api_extensions=EXTENSIONS,
        name=f"lab{number}",
        certificate=f"{number}" * 64,
    )
    # Of another server are other MAC addresses.
    lxd.store.count = 100 * number
    bridge = lxd.store.networks["lxdbr0"]
    config = {**bridge.config, "ipv4.address": f"10.{76 + number}.0.1/24"}
    lxd.store.networks["lxdbr0"] = Network(
        name="lxdbr0", type="bridge", managed=True, config=config
    )
    return lxd


def two_labs() -> tuple[FakeLxd, FakeLxd]:
    """bob has years of work on the first; cleo has her container on the second."""
    here, there = a_server(1), a_server(2)
    stamp(here, bob(cpus=2, memory_bytes=1 << 30, disk_bytes=2 << 30))
    here.write_file("bob", "/home/thesis", b"years")
    here.write_file("bob", HOST_KEY, b"secret of bob", mode=0o600)
    here.write_file("bob", "/opt/mine", b"by hand")
    here.update("bob", config={"boot.autostart": "true", "user.note": "by hand"})
    here.create_volume_snapshot(*HOME, "monday")
    here.create_snapshot("bob", "monday")
    stamp(there, bob(name="cleo"))
    for lxd in (here, there):
        lxd.changes.clear()
    return here, there


def context_of(
    here: FakeLxd,
    there: FakeLxd,
    *,
    settings: Settings = SETTINGS,
    report: Report | None = None,
    probe_ssh: Callable[[str], SshProbe] = banner,
) -> MoveContext:
    return MoveContext(
        lxd=here,
        there=there,
        settings=settings,
        settings_there=settings_of("lab2", settings),
        remote="lab2",
        report=report or Silent(),
        timeouts=hasty(),
        probe_ssh=probe_ssh,
    )


def run(here: FakeLxd, there: FakeLxd) -> None:
    move(context_of(here, there), "bob")


def told(here: FakeLxd, there: FakeLxd) -> str:
    return str(plan(context_of(here, there), "bob"))


def forgotten(here: FakeLxd, there: FakeLxd) -> None:
    forget(here, there, SETTINGS, "bob", Silent())


def mark_of(lxd: FakeLxd) -> MoveMark | None:
    return move_mark(lxd.instance("bob"))


def running(lxd: FakeLxd) -> bool:
    found = lxd.store.instances.get(BOB)
    return found is not None and found.state is State.RUNNING


def wish_of(instance: FakeInstance) -> dict[str, object]:
    """What is the same on both servers."""
    changing = {labels.MOVE, "boot.autostart"}
    return {
        "config": {
            key: value
            for key, value in instance.config.items()
            if value
            and not key.startswith(("volatile.", "security.idmap."))
            and key not in changing
        },
        "host": instance.config["volatile.cloud-init.instance-id"],
        "mac": instance.config["volatile.eth0.hwaddr"],
        "devices": {name: dict(device) for name, device in instance.devices.items()},
        "profiles": instance.profiles,
        "description": instance.description,
    }


def assert_moved(here: FakeLxd, there: FakeLxd, before: dict[str, object]) -> None:
    mark = mark_of(here)
    assert mark is not None
    assert mark.stage is Stage.MOVED
    assert not running(here)
    assert here.store.instances[BOB].config["boot.autostart"] == "false"
    found = there.store.instances[BOB]
    assert wish_of(found) == before
    assert found.config["boot.autostart"] == "true"
    assert found.state is State.RUNNING
    assert there.read_file("bob", "/home/thesis") == b"years"
    assert there.read_file("bob", HOST_KEY) == b"secret of bob"
    assert there.read_file("bob", "/opt/mine") == b"by hand"
    assert found.owners == found.config["volatile.idmap.next"]
    assert there.store.contents[HOME].owners == found.config["volatile.idmap.next"]
    home = there.store.volumes[HOME]
    assert home[labels.PHASE] == labels.READY
    assert not {labels.ARRIVAL, labels.BUILDER} & (home.keys() | found.config.keys())
    for lxd in (here, there):
        assert lxd.snapshots("bob") == ("monday",)
        assert lxd.volume_snapshots(*HOME) == ("monday",)


def assert_as_before(here: FakeLxd, there: FakeLxd, before: dict[str, object]) -> None:
    found = here.store.instances[BOB]
    assert wish_of(found) == before
    assert found.config["boot.autostart"] == "true"
    assert found.state is State.RUNNING
    assert labels.MOVE not in found.config
    assert here.read_file("bob", "/home/thesis") == b"years"
    assert here.snapshots("bob") == ("monday",)
    assert here.volume_snapshots(*HOME) == ("monday",)
    assert BOB not in there.store.instances
    assert HOME not in there.store.volumes


def as_server(lxd: FakeLxd, **changes: object) -> None:
    lxd.store.server = replace(lxd.store.server, **changes)  # type: ignore[arg-type]
