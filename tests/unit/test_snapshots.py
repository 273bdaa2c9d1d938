"""Snapshots of a person, root and home as a pair, and what a restore does not bring back."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from commands.views.snapshots import row, schedule
from lab import labels
from lab.errors import InputError, LxdError
from lab.instances.ssh_keys import KEYS
from lab.lxd.idmap import IdRange
from lab.lxd.model import Pool, Profile, State
from lab.machine import lock
from lab.process import me
from lab.report import Silent
from provision import lifecycle
from provision.half_taken import By, TakeMarker, read_take
from provision.isolation.isolate import plan_isolation
from provision.restoring import BOTH, Half, Journal, Wish, read_journal
from provision.snapshots.listing import snapshots
from provision.snapshots.plan import Restore
from provision.snapshots.restore import plan_restore, restore
from provision.snapshots.take import remove, take
from provision.snapshots.wish import IDENTITY
from tests.support.builders.death import DEAD, deaths
from tests.support.builders.public_keys import key
from tests.support.builders.stamping import SETTINGS, a_lab, banner, bob, hasty, stamp
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeFile
from tests.unit.test_ids import mapped

HERE = ("default", "bob")
HOME = ("default", "home-bob")
THESIS, SHELL = "/home/thesis", "/usr/bin/bash"
GPU = {"type": "gpu", "pci": "0000:b1:00.0"}
PORT = {"type": "proxy", "listen": "tcp:0.0.0.0:8080", "connect": "tcp:127.0.0.1:80"}


@pytest.fixture
def lxd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLxd:
    """With bob in it, who has a snapshot `good` and has lost all since, and a port and a limit."""
    monkeypatch.setattr(lock, "have_place", lambda _remote: tmp_path)
    lxd = a_lab()
    lxd.store.profiles["lab"] = Profile(name="lab")
    stamp(lxd, bob())
    lxd.write_file("bob", THESIS, b"years")
    lxd.write_file("bob", SHELL, b"ELF")
    lxd.update("bob", config={"limits.cpu": "8", "user.note": "old"}, devices={"card": GPU})
    snapshot(lxd, "good")
    lxd.write_file("bob", THESIS, b"")
    lxd.delete_file("bob", SHELL)
    lxd.update(
        "bob",
        config={"limits.cpu": "2", "user.note": None, "boot.autostart": "true"},
        devices={"card": None, "port": PORT},
        profiles=("default", "lab"),
        description="bob's",
    )
    lxd.changes.clear()
    return lxd


def snapshot(lxd: FakeLxd, label: str | None = None, *, by: By = By.HAND) -> str:
    return take(lxd, SETTINGS, "bob", label, Silent(), by=by)


def back(lxd: FakeLxd, name: str = "good", *halves: Half) -> None:
    timeouts = hasty()
    restore(
        *(lxd, SETTINGS, "bob", name, Silent()),
        halves=halves,
        timeouts=timeouts,
        probe_ssh=banner,
    )


def refused(lxd: FakeLxd, name: str = "good", *halves: Half) -> str:
    """What is said, when nothing at all is changed."""
    before = list(lxd.changes)
    with pytest.raises(InputError) as caught:
        back(lxd, name, *halves)
    assert lxd.changes == before
    return str(caught.value)


def files(lxd: FakeLxd) -> tuple[bytes | None, bytes | None]:
    """bob's thesis, and his shell."""
    home, root = lxd.store.contents[HOME].files, lxd.store.instances[HERE].files
    shell = root.get(SHELL)
    return home["/thesis"].content, shell.content if shell else None


def assert_restored(lxd: FakeLxd, state: State = State.RUNNING) -> None:
    """The files of that day, and all that was wished for since."""
    found = lxd.store.instances[HERE]
    assert files(lxd) == (b"years", b"ELF")
    assert found.state is state
    assert (found.config["limits.cpu"], found.config.get("user.note")) == ("2", None)
    assert found.devices["port"] == PORT
    assert "card" not in found.devices
    assert (found.profiles, found.description) == (("default", "lab"), "bob's")
    assert found.config["boot.autostart"] == "true"
    assert labels.SNAPSHOT not in found.config
    assert labels.RESTORE not in lxd.store.volumes[HOME]
    assert found.snapshots == ("good",)
    assert lxd.volume_snapshots(*HOME) == ("good",)


def test_root_and_home_are_taken_by_one_name_while_it_runs(lxd: FakeLxd) -> None:
    assert snapshot(lxd, "better") == "better"
    assert [change.split()[0] for change in lxd.changes] == [
        "update",
        "create_volume_snapshot",
        "create_snapshot",
        "update",
    ]
    assert lxd.snapshots("bob") == lxd.volume_snapshots(*HOME) == ("good", "better")
    instance = lxd.store.instances[HERE]
    assert instance.state is State.RUNNING
    assert instance.config["boot.autostart"] == "true"
    assert labels.SNAPSHOT not in instance.config


def test_no_boot_of_the_server_starts_what_a_snapshot_brings_back(lxd: FakeLxd) -> None:
    lxd.restore_snapshot("bob", "good")
    assert lxd.store.instances[HERE].config["boot.autostart"] == "false"


def test_without_a_name_it_is_called_after_the_servers_time(lxd: FakeLxd) -> None:
    assert snapshot(lxd) == "20261121-010000"
    assert snapshot(lxd) == "20261121-010000-2"


@pytest.mark.parametrize("label", ["", "-x", "a/b", "a b", "x" * 51, "ü", "sync-1", "isolate-1"])
def test_names_that_cannot_be_are_refused(lxd: FakeLxd, label: str) -> None:
    with pytest.raises(InputError, match="cannot be the name of a snapshot"):
        snapshot(lxd, label)
    assert lxd.changes == []


def test_a_name_is_given_once(lxd: FakeLxd) -> None:
    with pytest.raises(InputError) as caught:
        snapshot(lxd, "good")
    assert str(caught.value) == (
        'bob has a snapshot "good" already.\n'
        "Next: Choose another name, or remove it first: invoke remove-snapshot bob good"
    )
    assert lxd.changes == []


@pytest.mark.parametrize("verb", ["create_volume_snapshot", "create_snapshot"])
def test_where_one_half_fails_there_is_none(lxd: FakeLxd, verb: str) -> None:
    lxd.failures[verb] = LxdError("No.")
    with pytest.raises(LxdError, match="No"):
        snapshot(lxd, "better")
    assert lxd.snapshots("bob") == lxd.volume_snapshots(*HOME) == ("good",)
    assert lxd.store.instances[HERE].config["boot.autostart"] == "true"


def test_killed_before_any_change_the_next_one_removes_the_half(lxd: FakeLxd) -> None:
    for dead in deaths(lxd, lambda one: snapshot(one, "better"), least=4):
        snapshot(dead, "best")
        names = dead.snapshots("bob")
        assert names in {("good", "best"), ("good", "better", "best")}
        assert dead.volume_snapshots(*HOME) == names
        instance = dead.store.instances[HERE]
        assert instance.config["boot.autostart"] == "true"
        assert labels.SNAPSHOT not in instance.config


def test_killed_the_next_start_lets_it_start_with_the_server_again(lxd: FakeLxd) -> None:
    lxd.stop("bob")
    for dead in deaths(lxd, lambda one: snapshot(one, "better"), least=4):
        lifecycle.start(dead, SETTINGS, "bob", report=Silent(), timeouts=hasty(), probe_ssh=banner)
        assert dead.store.instances[HERE].config["boot.autostart"] == "true"
        assert dead.snapshots("bob") == dead.volume_snapshots(*HOME)


def test_one_that_another_process_takes_is_left_alone(lxd: FakeLxd) -> None:
    mark = TakeMarker(builder=me(), snapshot="theirs", by=By.HAND)
    lxd.store.instances[HERE].config[labels.SNAPSHOT] = str(mark)
    with pytest.raises(InputError, match="A snapshot of bob is being taken"):
        snapshot(lxd)
    assert lxd.changes == []


def test_they_are_listed_with_time_size_and_who(lxd: FakeLxd) -> None:
    snapshot(lxd, "nightly", by=By.SCHEDULE)
    lxd.create_snapshot("bob", "by-lxc")
    lxd.create_volume_snapshot(*HOME, "isolate-1")
    document = snapshots(lxd, SETTINGS, "bob")
    assert schedule(document) == "None are taken by schedule (set by: lab)."
    weekly = {"schedule": {"every": "week", "keep": 4, "from": "person"}}
    assert schedule(weekly) == "By schedule: one every week, 4 kept (set by: person)."
    found = {one["name"]: one for one in document["snapshots"]}
    assert list(found) == ["isolate-1", "good", "nightly", "by-lxc"]
    assert [one["by"] for one in found.values()] == [None, "hand", "schedule", None]
    assert found["good"] | {"taken_at": ""} == {
        "name": "good",
        "taken_at": "",
        "by": "hand",
        "command": None,
        "root": True,
        "root_bytes": None,
        "home": True,
        "home_bytes": 1 << 20,
    }
    assert [row(one)[2:] for one in document["snapshots"]] == [
        ("-", "home", "1.0 MiB", "the way back of isolate"),
        ("hand", "home and root", "?", ""),
        ("schedule", "home and root", "?", ""),
        ("-", "root", "?", "restore with --root"),
    ]
    assert row(found["good"])[1].startswith("2026-11-21 00:")


def test_both_halves_are_removed_and_a_second_time_it_is_missing(lxd: FakeLxd) -> None:
    for dead in deaths(lxd, lambda one: remove(one, SETTINGS, "bob", "good", Silent()), least=2):
        if dead.volume_snapshots(*HOME):
            remove(dead, SETTINGS, "bob", "good", Silent())
        assert dead.snapshots("bob") == dead.volume_snapshots(*HOME) == ()
        with pytest.raises(InputError) as caught:
            remove(dead, SETTINGS, "bob", "good", Silent())
        assert str(caught.value) == (
            'bob has no snapshot "good".\nNext: List its snapshots: invoke snapshots bob'
        )


def test_the_way_back_of_a_command_is_neither_removed_nor_restored(lxd: FakeLxd) -> None:
    lxd.create_snapshot("bob", "sync-1")
    with pytest.raises(InputError, match="belongs to `invoke sync-drivers`"):
        remove(lxd, SETTINGS, "bob", "sync-1", Silent())
    assert "belongs to `invoke sync-drivers`" in refused(lxd, "sync-1")


def test_a_restore_brings_back_files_and_nothing_else(lxd: FakeLxd) -> None:
    assert str(plan_restore(lxd, "bob", "good")) == (
        "bob: stop it, restore its home and root from good (2026-11-21 00:00 UTC), start it\n"
        "  Files of its home and root that were written since are lost. GPUs, limits, ports, keys "
        "and shares stay as they are."
    )
    assert lxd.changes == []
    back(lxd)
    assert_restored(lxd)
    # Nothing of the snapshot is used up.
    lxd.write_file("bob", THESIS, b"")
    back(lxd)
    assert_restored(lxd)


def test_what_was_stopped_stays_stopped(lxd: FakeLxd) -> None:
    lxd.stop("bob")
    back(lxd)
    assert_restored(lxd, State.STOPPED)
    assert lxd.store.instances[HERE].config["volatile.last_state.power"] == "STOPPED"


@pytest.mark.parametrize(
    ("half", "there"), [(Half.HOME, (b"years", None)), (Half.ROOT, (b"", b"ELF"))]
)
def test_one_half_alone(lxd: FakeLxd, half: Half, there: tuple[bytes | None, ...]) -> None:
    back(lxd, "good", half)
    assert files(lxd) == there
    assert "card" not in lxd.store.instances[HERE].devices
    assert lxd.store.instances[HERE].state is State.RUNNING


def test_what_describes_the_files_comes_back_with_them(lxd: FakeLxd) -> None:
    """The release and the driver, and whom cloud-init takes it for: it makes no new host keys."""
    config = lxd.store.instances[HERE].config
    before = config[IDENTITY]
    lxd.update("bob", config={"cloud-init.user-data": "#cloud-config\n{}"})
    config = lxd.store.instances[HERE].config
    assert config[IDENTITY] != before
    config |= {labels.VERSION: "20270101.1", labels.DRIVER: "550.1", labels.TEMPLATE: "docker"}
    back(lxd)
    config = lxd.store.instances[HERE].config
    assert (config[labels.VERSION], config[labels.TEMPLATE]) == ("20261121.1", "base")
    assert labels.DRIVER not in config
    assert config["cloud-init.user-data"] == "#cloud-config\n{}"
    assert config[IDENTITY] == before


def test_keys_are_todays(lxd: FakeLxd) -> None:
    found = lxd.store.instances[HERE]
    kept = found.kept["good"]
    files = {**kept.files, str(KEYS / "bob"): FakeFile(content=b"ssh-ed25519 gone\n")}
    found.kept["good"] = replace(kept, files=files)
    back(lxd)
    written = lxd.store.instances[HERE].files[str(KEYS / "bob")].content.decode()
    assert written == f"{key().line}\n"


def test_the_quota_of_that_day_does_not_stay(lxd: FakeLxd) -> None:
    """LXD sets one only where a size changes, and it takes today's for the one that is there."""
    then = lxd.store.volumes[HOME]["size"]
    lxd.update_volume(*HOME, {"size": "40GiB"})
    lxd.changes.clear()
    back(lxd)
    assert [change.split()[0] for change in lxd.changes].count("update_volume") == 5
    assert lxd.store.volumes[HOME]["size"] == "40GiB"
    lxd.changes.clear()
    lxd.update_volume(*HOME, {"size": then})
    back(lxd)
    assert [change.split()[0] for change in lxd.changes].count("update_volume") == 4


def could_start_by_itself(lxd: FakeLxd) -> bool:
    return lxd.store.instances[HERE].config.get("boot.autostart") != "false"


@pytest.mark.parametrize("asleep", [False, True])
def test_killed_before_any_change_the_next_run_finishes(lxd: FakeLxd, *, asleep: bool) -> None:
    if asleep:
        lxd.stop("bob")
    lxd.store.contents[HOME].files["/draft"] = FakeFile(content=b"of today")
    for dead in deaths(lxd, back, least=10):
        instance = dead.store.instances[HERE]
        whole = files(dead) in {(b"", None), (b"years", b"ELF")}
        # Half restored, or with the GPU of that day, nothing but `restore` starts it.
        if not whole or "card" in instance.devices:
            assert not could_start_by_itself(dead)
            assert instance.state is State.STOPPED
        if labels.RESTORE in dead.store.volumes[HOME]:
            assert_nothing_else_works(dead)
        back(dead)
        assert_restored(dead, State.STOPPED if asleep else State.RUNNING)
        assert "/draft" not in dead.store.contents[HOME].files


def assert_nothing_else_works(lxd: FakeLxd) -> None:
    before = list(lxd.changes)
    for other in (
        lambda: lifecycle.start(lxd, SETTINGS, "bob", report=Silent(), probe_ssh=banner),
        lambda: lifecycle.stop(lxd, SETTINGS, "bob", report=Silent()),
        lambda: lifecycle.destroy(lxd, SETTINGS, "bob", purge=False, report=Silent()),
        lambda: snapshot(lxd),
        lambda: stamp(lxd, bob()),
    ):
        with pytest.raises(InputError) as caught:
            other()
        assert str(caught.value).endswith("continue it: invoke restore bob good")
    assert lxd.changes == before


def test_what_its_user_wrote_after_the_start_is_not_lost_by_the_next_run(lxd: FakeLxd) -> None:
    starts = 0
    for dead in deaths(lxd, back, least=10):
        running = dead.store.instances[HERE].state is State.RUNNING
        begun = labels.RESTORE in dead.store.volumes[HOME]
        if not (begun and running and files(dead) == (b"years", b"ELF")):
            continue
        starts += 1
        dead.write_file("bob", THESIS, b"more years")
        assert str(plan_restore(dead, "bob", "good")) == (
            "bob: finish the restore from good, which was interrupted: start it"
        )
        back(dead)
        assert files(dead) == (b"more years", b"ELF")
    assert starts == 1


def test_after_a_run_that_was_killed_another_snapshot_may_be_meant(lxd: FakeLxd) -> None:
    snapshot(lxd, "lost")
    for dead in deaths(lxd, back, least=10):
        back(dead, "lost")
        assert files(dead) == (b"", None)
        assert labels.RESTORE not in dead.store.volumes[HOME]
        assert "card" not in dead.store.instances[HERE].devices


def test_half_of_what_a_killed_run_began_is_refused(lxd: FakeLxd) -> None:
    mark_dead(lxd)
    assert refused(lxd, "good", Half.HOME) == (
        "An interrupted run was restoring more of bob than this.\n"
        "  It was restoring its home and root.\n"
        "Next: Continue that first: invoke restore bob good"
    )


def mark_dead(lxd: FakeLxd, builder: str = DEAD) -> None:
    wish = Wish(devices=dict(lxd.store.instances[HERE].devices))
    journal = Journal(builder=builder, snapshot="good", halves=BOTH, wish=wish)
    lxd.store.volumes[HOME][labels.RESTORE] = str(journal)


def parent() -> str:
    """The mark of a process that lives, and is not this one."""
    host, _, _, where = me().split()
    number = os.getppid()
    started = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[19]
    return f"{host} {number} {started} {where}"


def test_a_run_that_lives_or_may_live_is_left_alone(lxd: FakeLxd) -> None:
    mark_dead(lxd, parent())
    assert "is restoring it" in refused(lxd)
    mark_dead(lxd, "elsewhere 4711 1")
    assert "If that process no longer exists, run on that machine" in refused(lxd)


def test_the_journal_is_found_whatever_home_the_snapshot_had(lxd: FakeLxd) -> None:
    mark_dead(lxd)
    found = lxd.store.instances[HERE]
    found.devices["home"] = {**found.devices["home"], "source": "home-old"}
    assert_nothing_else_works(lxd)


def test_isolate_waits_for_a_restore(lxd: FakeLxd) -> None:
    mark_dead(lxd)
    found = lxd.store.instances[HERE]
    for word in ("base", "isolated", "size"):
        del found.config[f"security.idmap.{word}"]
    found.config["volatile.idmap.base"] = "0"
    assert [str(one) for one in plan_isolation(lxd, ())] == [
        "bob: skip, its files are being restored; first: invoke restore bob good"
    ]


@pytest.mark.parametrize("verb", ["restore_volume", "restore_snapshot", "update_volume"])
def test_a_failure_says_how_to_go_on(lxd: FakeLxd, verb: str) -> None:
    lxd.failures[verb] = LxdError("No room.", fix="Free space.")
    with pytest.raises(LxdError) as caught:
        back(lxd)
    assert str(caught.value) == (
        "No room. bob is restored only in part.\n"
        "Next: Free space.\n"
        "      Correct the cause, then continue: invoke restore bob good"
    )
    back(lxd)
    assert_restored(lxd)


def test_a_snapshot_from_before_it_had_its_ids_is_refused(lxd: FakeLxd) -> None:
    kept = lxd.store.contents[HOME].kept["good"]
    earlier = {**kept.config, "volatile.idmap.last": mapped(IdRange(1_000_000, 1_000_000_000))}
    lxd.store.contents[HOME].kept["good"] = replace(kept, config=earlier)
    assert refused(lxd).startswith(
        "The snapshot good was taken before bob was given its present ids.\n"
        "  The files of its home have other owners on the server than today's.\n"
    )
    back(lxd, "good", Half.ROOT)
    assert files(lxd) == (b"", b"ELF")


def test_zfs_restores_the_newest_alone(lxd: FakeLxd) -> None:
    lxd.store.pools["default"] = Pool(name="default", driver="zfs")
    snapshot(lxd, "better")
    lxd.create_snapshot("bob", "best")
    told = refused(lxd, "good", Half.HOME)
    assert told.startswith("The pool default is ZFS, which restores the newest snapshot only.\n")
    assert "Newer than good: better.\n" in told
    assert told.endswith("remove the newer ones first: invoke remove-snapshot bob better")
    back(lxd, "better", Half.HOME)
    assert "Newer than better: best." in refused(lxd, "better")


def test_one_without_the_other_half_is_refused_by_what_it_has(lxd: FakeLxd) -> None:
    lxd.create_snapshot("bob", "by-lxc")
    assert refused(lxd, "by-lxc") == (
        "The snapshot by-lxc of bob has no home.\n"
        "  It has the root alone.\n"
        "Next: Restore that alone: invoke restore bob by-lxc --root"
    )
    back(lxd, "by-lxc", Half.ROOT)
    assert files(lxd) == (b"", None)


def test_a_home_outlives_its_container_with_its_snapshots(lxd: FakeLxd) -> None:
    lifecycle.destroy(lxd, SETTINGS, "bob", purge=False, report=Silent())
    stamp(lxd, bob())
    assert refused(lxd).endswith("Restore that alone: invoke restore bob good --home")
    back(lxd, "good", Half.HOME)
    assert lxd.store.contents[HOME].files["/thesis"].content == b"years"


def test_destroy_names_the_snapshots_that_go(lxd: FakeLxd) -> None:
    snapshot(lxd, "better")
    kept = lifecycle.look(lxd, "bob", purge=False)
    assert kept.removed == ("container bob", "its snapshots good, better")
    home = "volume home-bob (/home, 1.0 MiB in it) in pool default with its snapshots good, better"
    assert kept.kept == (home,)
    removed = lifecycle.destroy(lxd, SETTINGS, "bob", purge=True, report=Silent())
    assert removed.removed == (*kept.removed, home)
    assert lxd.volume_snapshots(*HOME) == ()


def test_a_home_that_others_have_too_is_refused(lxd: FakeLxd) -> None:
    other = replace(
        lxd.store.instances[HERE], devices={"x": lxd.store.instances[HERE].devices["home"]}
    )
    lxd.store.instances["default", "eve"] = other
    assert refused(lxd).startswith("The home of bob (volume home-bob) is also attached to eve.")


def test_without_a_volume_at_home_there_is_neither(lxd: FakeLxd) -> None:
    lxd.store.instances[HERE].devices.pop("home")
    for act in (lambda: snapshot(lxd), lambda: back(lxd)):
        with pytest.raises(InputError, match="bob has no volume as its /home"):
            act()
    assert lxd.changes == []


def test_a_name_that_is_close_is_named(lxd: FakeLxd) -> None:
    assert refused(lxd, "godo").startswith('bob has no snapshot "godo" (did you mean "good"?).')


def test_two_admins_at_once_wait_for_each_other(lxd: FakeLxd) -> None:
    acts = (
        lambda: back(lxd),
        lambda: snapshot(lxd, "one"),
        lambda: back(lxd),
        lambda: snapshot(lxd, "two"),
    )
    with ThreadPoolExecutor(max_workers=len(acts)) as pool:
        for done in [pool.submit(act) for act in acts]:
            done.result()
    names = set(lxd.snapshots("bob"))
    assert names == set(lxd.volume_snapshots(*HOME)) == {"good", "one", "two"}
    lxd.store.instances[HERE].snapshots = ("good",)
    for name in ("one", "two"):
        lxd.delete_volume_snapshot(*HOME, name)
    assert_restored(lxd)


def test_marks_are_read_as_they_were_written(lxd: FakeLxd) -> None:
    take_mark = TakeMarker(builder="x 1 1", snapshot="s", by=By.SCHEDULE, autostart="true")
    assert read_take(str(take_mark)) == take_mark
    wish = Wish(
        config={"a": "1"}, devices={"d": GPU}, profiles=("p",), description="x", home_size="1GiB"
    )
    journal = Journal(builder="x 1 1", snapshot="s", halves=(Half.ROOT,), wish=wish, asleep=True)
    assert read_journal(str(journal)) == journal
    assert (read_journal(None), read_take(None), read_take("{}")) == (None, None, None)
    for text in ("{}", "[]", "no"):
        with pytest.raises(InputError, match="cannot be read"):
            read_journal(text)


def test_a_plan_is_a_value(lxd: FakeLxd) -> None:
    found = plan_restore(lxd, "bob", "good", halves=(Half.HOME,))
    assert isinstance(found, Restore)
    assert (found.halves, found.asleep, found.leftover) == ((Half.HOME,), False, None)
