"""A container gets a root of another release; killed anywhere, the next run goes on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from lab import labels
from lab.dpkg import STATES, STATUS, manual, packed
from lab.errors import InputError, LabError, LxdError, NotFound
from lab.lxd.idmap import overlapping, own_range, read_map
from lab.lxd.model import Completed, Instance, State
from lab.lxd.port import Lxd
from lab.release import PACKAGES
from lab.report import Silent
from provision import lifecycle, listing
from provision.former import Stage, read_mark
from provision.lab_info import PLACE as LAB_INFO
from provision.lab_info import PROGRAM
from provision.upgrade.added import Inside, added_packages
from provision.upgrade.apply import UpgradeContext
from provision.upgrade.etc import changed_files
from provision.upgrade.plan import Wish
from provision.upgrade.root_file import read_root_file
from provision.upgrade.upgrade import Outcome, every_name, failure, plan_upgrade, upgrade
from tests.support.builders.death import deaths
from tests.support.builders.stamping import (
    BASE,
    SETTINGS,
    a_lab,
    banner,
    bob,
    greeted,
    hasty,
    inside,
    publish,
    stamp,
)
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeFile, FakeInstance
from tests.unit.test_isolate import share

BOB = ("default", "bob")
NEW = "20261126.1"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
HASH = "$y$j9T$abc$defghijklmnop"
THESIS = "/home/thesis"


@pytest.fixture
def lxd() -> FakeLxd:
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


def test_the_plan_says_what_stays_and_changes_nothing(lxd: FakeLxd) -> None:
    assert told(lxd) == [
        "bob: upgrade from base 20261121.1 to base 20261126.1\n"
        "  kept: /home, its account, ids, ssh keys, password, host keys, address, GPUs, disks, "
        "ports and limits; it is stopped and started once\n"
        "  not kept: packages and files outside of /home; they stay in the present root, "
        "bob-kept, until: invoke upgrade bob --forget, or for 14 days\n"
        "  packages added by hand: htop; to install them: invoke upgrade bob --reinstall\n"
        "  changed in /etc: not known\n"
        "  its snapshot monday stays with that root"
    ]
    assert lxd.changes == []


def test_all_that_is_its_user_s_is_there_afterwards(lxd: FakeLxd) -> None:
    before = wish_of(bobs(lxd))
    run_well(lxd)
    assert_upgraded(lxd, before)
    assert f"bob:{HASH}\n".encode() in inside(lxd).stdin
    assert not any(HASH in word for argv in inside(lxd).ran for word in argv)
    assert not any(HASH in value for value in bobs(lxd).config.values())
    assert told(lxd) == []
    assert run(lxd) == Outcome(done=())


def test_the_new_root_keeps_the_host_keys_it_finds(lxd: FakeLxd) -> None:
    run_well(lxd)
    assert "ssh_deletekeys: false" in bobs(lxd).config["cloud-init.user-data"]
    assert "ssh_deletekeys: true" not in bobs(lxd).config["cloud-init.user-data"]


def test_killed_anywhere_the_next_run_ends_it(lxd: FakeLxd) -> None:
    before = wish_of(bobs(lxd))
    for copy in deaths(lxd, run_well, least=15, inside=True):
        assert copy.store.contents["default", "home-bob"].files["/thesis"].content == b"years"
        run_well(copy)
        assert_upgraded(copy, before)


def test_a_failure_anywhere_leaves_it_as_it_was_or_is_gone_on_with(lxd: FakeLxd) -> None:
    before = wish_of(bobs(lxd))
    for verb in ("create", "stop", "update bob-next", "rename bob", "rename bob-next", "start bob"):
        lxd.failures[verb] = LxdError("The disk is full.")
        failed = failure(run(lxd))
        assert failed is not None
        assert "bob is in its earlier state." in failed.brief
        assert_as_before(lxd, before)


def test_a_root_that_does_not_become_ready_is_taken_back(lxd: FakeLxd) -> None:
    before = wish_of(bobs(lxd))
    inside(lxd).accounts = False
    failed = failure(run(lxd))
    assert failed is not None
    assert "made no account bob. bob is in its earlier state." in failed.brief
    assert_as_before(lxd, before)


def test_the_way_back_and_forth(lxd: FakeLxd) -> None:
    before = wish_of(bobs(lxd))
    run_well(lxd)
    lxd.write_file("bob", "/opt/newer", b"since then")
    lxd.update("bob", config={"limits.cpu": "5"})
    (said,) = told(lxd, back=True)
    assert said == (
        "bob: return from base 20261126.1 to its kept root bob-kept (base 20261121.1); "
        "the present root is kept as bob-kept-2; it is stopped and started once"
    )
    assert run(lxd, back=True).done == ("bob",)
    instance = bobs(lxd)
    assert instance.config[labels.VERSION] == "20261121.1"
    assert instance.files["/opt/mine"].content == b"by hand"
    # The wish is that of today.
    assert instance.config["limits.cpu"] == "5"
    assert instance.devices == before["devices"]
    assert lxd.read_file("bob", THESIS) == b"years"
    run_well(lxd, back=True)
    assert bobs(lxd).files["/opt/newer"].content == b"since then"
    assert bobs(lxd).config[labels.VERSION] == NEW


def test_the_way_back_killed_anywhere(lxd: FakeLxd) -> None:
    run_well(lxd)
    lxd.write_file("bob", "/opt/newer", b"since then")

    def back(copy: FakeLxd) -> None:
        run_well(copy, back=True)

    for copy in deaths(lxd, back, least=10, inside=True):
        if bobs_version(copy) == NEW or labels.OWNER not in bobs_config(copy) or half(copy):
            back(copy)
        assert bobs(copy).config[labels.VERSION] == "20261121.1"
        assert bobs(copy).files["/opt/mine"].content == b"by hand"
        kept = copy.store.instances["default", bobs(copy).config[labels.KEPT_ROOT]]
        assert kept.files["/opt/newer"].content == b"since then"
        assert len(copy.store.instances) == 2


def stop(lxd: FakeLxd) -> None:
    lifecycle.stop(lxd, SETTINGS, "bob", report=Silent())


def is_open(lxd: FakeLxd) -> bool:
    marks = filter(None, map(read_mark, lxd.instances()))
    opening = any(mark.stage is Stage.OPENING for mark in marks)
    return opening and bobs_config(lxd)[labels.PHASE] == labels.READY


def half(lxd: FakeLxd) -> bool:
    marks = filter(None, map(read_mark, lxd.instances()))
    return any(mark.stage is not Stage.KEPT for mark in marks)


def bobs_config(lxd: FakeLxd) -> dict[str, str]:
    found = lxd.store.instances.get(BOB)
    return found.config if found else {}


def bobs_version(lxd: FakeLxd) -> str | None:
    return bobs_config(lxd).get(labels.VERSION)


def test_the_kept_root_is_removed_when_that_is_asked_for(lxd: FakeLxd) -> None:
    run_well(lxd)
    assert told(lxd, forget=True) == [
        "bob: remove its kept root bob-kept (1.0 MiB); no way back afterwards"
    ]
    run_well(lxd, forget=True)
    assert [name for _, name in lxd.store.instances] == ["bob"]
    assert labels.KEPT_ROOT not in bobs(lxd).config
    assert told(lxd, forget=True) == []
    with pytest.raises(InputError, match="bob: skip, it has no kept root to return to"):
        run(lxd, back=True)


def test_another_upgrade_waits_until_the_kept_root_is_removed(lxd: FakeLxd) -> None:
    run_well(lxd)
    publish(lxd, replace(BASE, version="20261201.1"))
    with pytest.raises(InputError) as refused:
        run(lxd)
    assert "its earlier root is still kept (bob-kept); to remove it" in str(refused.value)
    lxd.store.now = lxd.store.now.replace(year=2027)
    assert "older than the lab keeps them" in told(lxd)[0]
    run_well(lxd)
    assert bobs(lxd).config[labels.VERSION] == "20261201.1"


def test_one_that_is_stopped_stays_stopped(lxd: FakeLxd) -> None:
    lxd.stop("bob")
    before = wish_of(bobs(lxd))
    run_well(lxd)
    assert bobs(lxd).state is State.STOPPED
    assert wish_of(bobs(lxd)) == before


def test_other_commands_wait_until_it_has_ended(lxd: FakeLxd) -> None:
    for copy in deaths(lxd, run_well, least=15, inside=True):
        if not half(copy):
            continue
        rows = listing.containers(copy, SETTINGS)
        fixes = [row["half_made"] for row in rows if row["half_made"] is not None]
        assert all(one["fix"] == "invoke upgrade bob" for one in fixes)
        assert {row["owner"] for row in rows} == {"bob"}
        for command in (
            lambda one: stamp(one, bob()),
            lambda one: lifecycle.destroy(one, SETTINGS, "bob", purge=True, report=Silent()),
            # Once its user may log in, the rest harms nobody.
            *([] if is_open(copy) else [stop]),
        ):
            changes = list(copy.changes)
            with pytest.raises(LabError, match='The container "bob" is being upgraded'):
                command(copy)
            assert copy.changes == changes


def test_destroying_takes_the_kept_root_along(lxd: FakeLxd) -> None:
    run_well(lxd)
    would = lifecycle.look(lxd, "bob", purge=False)
    assert "its kept root bob-kept" in would.removed
    lifecycle.destroy(lxd, SETTINGS, "bob", purge=False, report=Silent())
    assert lxd.store.instances == {}


def test_what_cannot_be_read_is_left_out(lxd: FakeLxd) -> None:
    """As a pipe in place of a host key, which is not opened."""
    with pytest.raises(LxdError, match="cannot be read while it runs"):
        read_root_file(lxd, lxd.instances()[0], HOST_KEY, 100)
    lxd.stop("bob")
    assert read_root_file(lxd, lxd.instances()[0], HOST_KEY, 100) == b"secret of bob"
    assert read_root_file(lxd, lxd.instances()[0], "/etc/none", 100) is None


def test_files_on_this_machine_are_read_from_its_directory(lxd: FakeLxd, tmp_path: Path) -> None:
    root = tmp_path / "no-lxd/storage-pools/default/containers/bob/rootfs"
    (root / "etc").mkdir(parents=True)
    (root / "etc/plain").write_bytes(b"12345")
    os.mkfifo(root / "etc/pipe")
    (root / "etc/link").symlink_to("/etc/shadow")
    (instance,) = lxd.instances()
    assert read_root_file(lxd, instance, "/etc/plain", 5) == b"12345"
    assert read_root_file(lxd, instance, "/etc/none", 5) is None
    for path, most in (("/etc/pipe", 5), ("/etc/link", 5), ("/etc/plain", 3)):
        with pytest.raises(LxdError, match=f"{path} in bob cannot be read"):
            read_root_file(lxd, instance, path, most)


def test_one_that_shares_its_ids_gets_its_own_first(lxd: FakeLxd) -> None:
    share(lxd, "bob")
    (said,) = told(lxd)
    assert "first: bob: stop it, change the owners of its files (root, volume home-bob)" in said
    for copy in deaths(lxd, run_well, least=25, inside=True):
        run_well(copy)
        instance = bobs(copy)
        assert instance.config[labels.VERSION] == NEW
        assert instance.config["security.idmap.isolated"] == "true"
        mapped = read_map(copy.store.contents["default", "home-bob"].owners)
        assert mapped == read_map(instance.owners) == own_range(copy.instances()[0])
        assert copy.read_file("bob", THESIS) == b"years"


def test_a_release_by_its_version(lxd: FakeLxd) -> None:
    publish(lxd, replace(BASE, version="20261127.1"))
    assert "to base 20261127.1" in told(lxd)[0]
    run_well(lxd, to=NEW)
    assert bobs(lxd).config[labels.VERSION] == NEW
    with pytest.raises(InputError, match=r'its template "base" has no release 20200101\.1'):
        told(lxd, to="20200101.1")


def test_all_containers_of_a_template(lxd: FakeLxd) -> None:
    stamp(lxd, bob(name="ann", template="docker"))
    run_well(lxd)
    assert every_name(lxd, None) == ("ann", "bob")
    assert every_name(lxd, "base") == ("bob",)
    assert told(lxd, *every_name(lxd, None)) == []


def test_no_id_is_another_s_because_two_roots_have_it(lxd: FakeLxd) -> None:
    run_well(lxd)
    assert list(overlapping(lxd.instances())) == []


def test_killed_on_the_way_back_the_next_run_ends_it(lxd: FakeLxd) -> None:
    """The new root does not become ready, and the run that takes it back is killed, too."""
    before = wish_of(bobs(lxd))

    def fails(copy: FakeLxd) -> None:
        inside(copy).accounts = False
        run(copy)

    for copy in deaths(lxd, fails, least=20, inside=True):
        inside(copy).accounts = True
        run_well(copy)
        assert_upgraded(copy, before)


def test_ctrl_c_takes_it_back(lxd: FakeLxd) -> None:
    before = wish_of(bobs(lxd))
    inside(lxd).interrupt = "getent"
    with pytest.raises(KeyboardInterrupt):
        run(lxd)
    assert_as_before(lxd, before)


def test_packages_that_the_user_added_are_installed_on_request(lxd: FakeLxd) -> None:
    assert "packages added by hand: htop; they are installed again" in told(lxd, reinstall=True)[0]
    run_well(lxd)
    has(lxd, "bob", "bash")
    assert told(lxd, reinstall=True) == ["bob: install htop"]
    run_well(lxd, reinstall=True)
    installs = [argv[-2:] for argv in inside(lxd).ran if argv[0] == "apt-get"]
    assert installs == [("Dpkg::Options::=--force-confold", "update"), ("install", "htop")]
    has(lxd, "bob", "bash", "htop")
    assert told(lxd, reinstall=True) == []


def test_both_at_once(lxd: FakeLxd) -> None:
    inside(lxd).ran.clear()
    has_not = lxd.store.images[f"base-{NEW}"]
    has_not.files[STATUS] = FakeFile(content=b"Package: bash\nStatus: install ok installed\n\n")
    run_well(lxd, reinstall=True)
    assert [argv[-1] for argv in inside(lxd).ran if argv[0] == "apt-get"] == ["update", "htop"]


def test_what_the_archive_does_not_have_is_named(lxd: FakeLxd) -> None:
    run_well(lxd)
    has(lxd, "bob", "bash")

    def apt(name: str, argv: Sequence[str], stdin: bytes | None) -> Completed:
        failed = argv[0] == "apt-get" and argv[-1] == "htop"
        return Completed(exit_code=100 if failed else 0, stdout="", stderr="E: Unable to locate")

    lxd.on_run = apt
    failed = failure(run(lxd, reinstall=True))
    assert str(failed) == (
        "These packages could not be installed in bob: htop.\n"
        "  E: Unable to locate\n"
        "Next: Correct the cause, then: invoke upgrade bob --reinstall"
    )


def test_who_asked_for_a_package_is_told_by_apts_file() -> None:
    status = "\n".join(
        f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n"
        for name, version in (
            ("bash", "5"),
            ("htop", "3"),
            ("nvidia-smi", "535.261.03-1"),
            ("!", "1"),
        )
    )
    asked = manual(status, "Package: bash\nAuto-Installed: 1\n")
    assert asked == {"htop": "3", "nvidia-smi": "535.261.03-1"}
    # The driver's are brought by labstamp.
    assert added_packages(Inside(manual=asked), {"less"}) == ("htop",)
    assert added_packages(Inside(manual=asked), {"htop"}) == ()
    assert added_packages(Inside(manual=asked), set()) is None


def test_files_of_etc_that_somebody_changed(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    (etc / "ssh").mkdir(parents=True)
    for path in ("hosts", "motd", "fuse.conf", "ssh/ssh_host_rsa_key", "ssh/sshd_config", "nanorc"):
        (etc / path).write_text(path)
    os.utime(etc / "motd", (1, 1))
    os.mkfifo(etc / "pipe")
    (etc / "link").symlink_to("/etc/passwd")
    (etc / "loop").symlink_to(".")
    own = {
        "/etc/fuse.conf": hashlib.md5(b"fuse.conf", usedforsecurity=False).hexdigest(),
        "/etc/nanorc": "0",
    }
    assert changed_files(tmp_path, 1000.0, own) == ("/etc/nanorc", "/etc/ssh/sshd_config")
    with pytest.raises(OSError, match="No such file"):
        changed_files(tmp_path / "missing", 0.0, {})
