"""A container for somebody else from one that is there: its root, and nothing of its owner's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab import labels
from lab.errors import CapacityError, InputError, LxdError
from lab.gpu_selection import parse_selection
from lab.instances.at_rest import RAW
from lab.instances.ssh_keys import KEYS
from lab.lxd.idmap import own_range, read_map
from lab.lxd.model import Completed, State
from lab.machine import lock
from lab.report import Silent
from provision import lifecycle
from provision.create.provision import Copy, Provisioned, provision
from provision.create.request import Request
from provision.listing import show
from tests.support.builders.death import deaths, dies_after
from tests.support.builders.public_keys import key
from tests.support.builders.stamping import (
    SETTINGS,
    Inside,
    a_lab,
    banner,
    bob,
    greeted,
    hasty,
    inside,
    stamp,
)
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeFile

BOB, EVE = ("default", "bob"), ("default", "eve")
HOME = ("default", "home-eve")
GIB = 1 << 30
EVES = key(7, "eve@desk")
PROXY = {"type": "proxy", "listen": "tcp:0.0.0.0:8022", "connect": "tcp:127.0.0.1:22"}
SHARE = {"type": "disk", "source": "/srv/data", "path": "/data"}
STATIC = {"type": "nic", "name": "eth0", "network": "lxdbr0", "ipv4.address": "10.77.0.99"}


@pytest.fixture
def lxd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLxd:
    """With bob's container, which runs, and has more than it was made with."""
    monkeypatch.setattr(lock, "have_place", lambda _remote: tmp_path)
    lxd = a_lab()
    stamp(lxd, bob(memory_bytes=GIB, disk_bytes=4 * GIB))
    lxd.write_file("bob", "/home/thesis", b"years")
    instance = lxd.store.instances[BOB]
    instance.config |= {
        "limits.cpu.allowance": "50%",
        "boot.autostart": "true",
        labels.SHARES: "{}",
        labels.KEPT_ROOT: "bob-kept",
    }
    gpu = {"type": "gpu", "pci": "0000:01"}
    instance.devices |= {"web": PROXY, "eth0": STATIC, "gpu0": gpu, "share-data": SHARE}
    instance.files["/opt/prepared"] = FakeFile(content=b"tool")
    lxd.changes.clear()
    return lxd


def wish(**wishes: object) -> Request:
    return bob(**{"name": "eve", "template": "", "keys": (EVES,), **wishes})


def run(
    lxd: FakeLxd, *, only_plan: bool = False, with_home: bool = False, **wishes: object
) -> Provisioned:
    return provision(
        lxd,
        SETTINGS,
        wish(**wishes),
        Silent(),
        copy=Copy(source="bob", with_home=with_home),
        only_plan=only_plan,
        timeouts=hasty(),
        probe_ssh=banner,
        greet=greeted,
        bridged_ipv6=lambda: True,
    )


def with_home(lxd: FakeLxd) -> Provisioned:
    return run(lxd, with_home=True)


def assert_eves(lxd: FakeLxd, *, files: Mapping[str, bytes] | None = None) -> None:
    """What bob prepared, and otherwise as if it had been made for eve from a template."""
    bobs, eves = lxd.store.instances[BOB], lxd.store.instances[EVE]
    assert eves.state is State.RUNNING
    assert eves.config[labels.PHASE] == labels.READY
    assert (eves.config[labels.OWNER], eves.config[labels.CLONE]) == ("eve", "bob")
    assert labels.UNCLEAN not in eves.config
    assert not {RAW, labels.SHARES, labels.KEPT_ROOT} & eves.config.keys()
    assert "limits.cpu.allowance" not in eves.config
    assert {name: one.get("type") for name, one in eves.devices.items()} == {
        "root": "disk",
        "home": "disk",
        "eth0": "nic",
    }
    assert "ipv4.address" not in eves.devices["eth0"]
    assert eves.devices["root"]["size"] == "4GiB"
    assert eves.files["/opt/prepared"].content == b"tool"
    assert eves.files[str(KEYS / "eve")].content.decode().strip() == EVES.line
    for word in ("volatile.eth0.hwaddr", "volatile.uuid", "volatile.cloud-init.instance-id"):
        assert eves.config[word] != bobs.config[word]
    instances = {one.name: one for one in lxd.instances()}
    ranges = [own_range(instances[name]) for name in ("bob", "eve")]
    assert None not in ranges
    assert ranges[0] != ranges[1]
    assert read_map(eves.owners) == ranges[1]
    assert lxd.store.volumes[HOME][labels.CONTAINER] == "eve"
    assert labels.UNCLEAN not in lxd.store.volumes[HOME]
    home = lxd.store.contents[HOME]
    assert {path: file.content for path, file in home.files.items()} == (files or {})
    assert read_map(home.owners) == ranges[1]
    thesis = lxd.store.contents["default", "home-bob"].files["/thesis"]
    assert (thesis.content, bobs.state) == (b"years", State.RUNNING)


def test_it_has_what_was_prepared_and_an_identity_of_its_own(lxd: FakeLxd) -> None:
    before = dict(lxd.store.instances[BOB].config)
    assert run(lxd).changed
    assert_eves(lxd)
    assert lxd.store.instances[BOB].config == before
    cleaning = next(argv for argv in inside(lxd).ran if argv[0] == "flock")
    assert cleaning[-2:] == ("/run/labstamp/clean.sh", "eve")
    lxd.changes.clear()
    assert not run(lxd).changed
    assert lxd.changes == []


def test_a_plan_says_what_is_taken_out(lxd: FakeLxd) -> None:
    lines = [str(action) for action in run(lxd, only_plan=True).actions]
    assert lxd.changes == []
    assert lines[0] == "create the volume home-eve for /home in pool default (4.0 GiB)"
    assert lines[1].startswith("create the container eve from a copy of bob, base 20261121.1 (")
    assert lines[2].startswith("remove from eve what belongs to bob: accounts of people")
    assert "ssh host keys" in lines[2]
    assert lines[3:] == [
        "let eve log in with 1 ssh key",
        "start eve and wait until ssh answers",
        "let eve log in to eve, and protect it against deletion by hand",
    ]


def test_the_home_is_copied_on_request(lxd: FakeLxd) -> None:
    with_home(lxd)
    assert_eves(lxd, files={"/thesis": b"years"})
    cleaning = next(argv for argv in inside(lxd).ran if argv[0] == "flock")
    assert cleaning[-2:] == ("eve", "bob")


@dataclass
class Watched(Inside):
    """A container that must not boot while something of bob's is in it."""

    lxd: FakeLxd | None = None
    booted: list[str] = field(default_factory=list)

    def __call__(self, name: str, argv: Sequence[str], stdin: bytes | None) -> Completed:
        assert self.lxd is not None
        config = self.lxd.store.instances["default", name].config
        if RAW not in config and labels.UNCLEAN in config:
            self.booted.append(name)
        return super().__call__(name, argv, stdin)


def test_killed_anywhere_the_next_run_finishes_it(lxd: FakeLxd) -> None:
    for each in deaths(lxd, run, least=12, inside=True):
        eve = each.store.instances.get(EVE)
        if eve is not None and labels.UNCLEAN in eve.config:
            assert eve.state is State.STOPPED or RAW in eve.config
        run(each)
        assert_eves(each)


def test_killed_anywhere_with_the_home(lxd: FakeLxd) -> None:
    for each in deaths(lxd, with_home, least=12, inside=True):
        with_home(each)
        assert_eves(each, files={"/thesis": b"years"})


def test_nobody_gets_a_copied_home_that_was_not_cleaned(lxd: FakeLxd) -> None:
    """Killed with the home, and then made without, or from a template."""
    for each in deaths(lxd, with_home, least=12, inside=True):
        eve = each.store.instances.get(EVE)
        if eve is None or labels.UNCLEAN in eve.config:
            run(each)
            assert_eves(each)


def test_it_never_boots_before_it_is_clean(lxd: FakeLxd) -> None:
    watched = Watched(lxd=lxd)
    lxd.on_run = watched
    with_home(lxd)
    assert watched.booted == []


def test_a_cleaning_that_fails_leaves_nothing(lxd: FakeLxd) -> None:
    @dataclass
    class Broken(Inside):
        def __call__(self, name: str, argv: Sequence[str], stdin: bytes | None) -> Completed:
            if argv[0] == "flock":
                return Completed(exit_code=1, stdout="", stderr="rm: cannot remove it\n")
            return super().__call__(name, argv, stdin)

    lxd.on_run = Broken()
    with pytest.raises(LxdError, match="rm: cannot remove it"):
        with_home(lxd)
    assert EVE not in lxd.store.instances
    assert HOME not in lxd.store.volumes


def test_other_commands_and_a_copy_that_was_cut_off(lxd: FakeLxd) -> None:
    dies_after(lxd, 2, lambda: run(lxd))
    assert labels.UNCLEAN in lxd.store.instances[EVE].config
    told = "invoke clone bob eve"
    with pytest.raises(InputError, match=told):
        lifecycle.start(lxd, SETTINGS, "eve", report=Silent())
    with pytest.raises(InputError, match=told):
        stamp(lxd, bob(name="eve", only_name=True))
    half_made = show(lxd, SETTINGS, "eve")["half_made"]
    assert half_made["fix"] == told
    # With a template it becomes a container as any other.
    stamp(lxd, bob(name="eve"))
    eve = lxd.store.instances[EVE]
    assert "/opt/prepared" not in eve.files
    assert labels.CLONE not in eve.config


def test_a_gpu_only_where_one_is_named(lxd: FakeLxd) -> None:
    with pytest.raises(CapacityError, match="has no NVIDIA GPU"):
        run(lxd, gpus=parse_selection("1"))
    assert EVE not in lxd.store.instances


def test_what_cannot_be(lxd: FakeLxd) -> None:
    with pytest.raises(InputError, match="There is no container"):
        provision(lxd, SETTINGS, wish(), Silent(), copy=Copy(source="zoe"))
    lxd.store.used = 4 * GIB
    with pytest.raises(CapacityError, match="too small for the disk"):
        run(lxd)
    lxd.store.used = 1 << 20
    stamp(lxd, bob(name="eve"))
    with pytest.raises(InputError, match="exists, and is not a copy of bob"):
        run(lxd)
    lifecycle.destroy(lxd, SETTINGS, "eve", purge=False, report=Silent())
    with pytest.raises(InputError, match="It is not overwritten by a copy of another"):
        with_home(lxd)
    assert run(lxd).changed
