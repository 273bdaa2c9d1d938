"""Containers of earlier versions get ids of their own; killed anywhere, the next run goes on."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from commands.views.containers import of_container
from lab import labels
from lab.errors import CapacityError, InputError, LxdError
from lab.lxd.idmap import IdRange, read_map
from lab.lxd.model import Completed, State
from lab.process import in_words, me
from lab.report import Silent
from provision import lifecycle
from provision.ids.marker import MoveMarker, Stage
from provision.isolation.isolate import Outcome, failure, isolate, plan_isolation
from provision.listing import show
from tests.support.builders.death import deaths
from tests.support.builders.stamping import SETTINGS, a_lab, banner, bob, hasty, stamp
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import MIXED, FakeInstance
from tests.unit.test_ids import mapped

HERE = ("default", "bob")
HOME = ("default", "home-bob")
OWN = IdRange(1_065_536, 65_536)
IDMAP = ("base", "isolated", "size")


@pytest.fixture
def lxd() -> FakeLxd:
    """A lab with bob in it, as made by earlier versions."""
    lxd = a_lab()
    stamp(lxd, bob())
    share(lxd, "bob")
    lxd.changes.clear()
    return lxd


def share(lxd: FakeLxd, name: str) -> None:
    """Take the range away, as if the container had been made without."""
    lxd.stop(name)
    lxd.update(name, config={f"security.idmap.{key}": None for key in IDMAP})
    lxd.store.volumes["default", f"home-{name}"].pop(labels.IDS, None)
    lxd.start(name)


def run(lxd: FakeLxd, *names: str) -> Outcome:
    return isolate(
        lxd, SETTINGS, plan_isolation(lxd, names), Silent(), timeouts=hasty(), probe_ssh=banner
    )


def owners(lxd: FakeLxd) -> tuple[IdRange | None, IdRange | None]:
    """Whose the files of bob's root and home really are."""
    return read_map(lxd.store.instances[HERE].owners), read_map(lxd.store.contents[HOME].owners)


def assert_isolated(lxd: FakeLxd, state: State = State.RUNNING) -> None:
    instance, volume = lxd.store.instances[HERE], lxd.store.volumes[HOME]
    assert instance.state is state
    assert {key: instance.config[f"security.idmap.{key}"] for key in IDMAP} == {
        "base": str(OWN.base),
        "isolated": "true",
        "size": str(OWN.size),
    }
    assert owners(lxd) == (OWN, OWN)
    assert volume[labels.IDS] == str(OWN)
    assert_tidy(lxd)


def assert_tidy(lxd: FakeLxd) -> None:
    instance = lxd.store.instances[HERE]
    assert labels.ISOLATE not in instance.config
    assert instance.snapshots == ()
    assert lxd.volume_snapshots(*HOME) == ()
    assert instance.config.get("boot.autostart") == "true"


def assert_as_before(lxd: FakeLxd) -> None:
    whole = IdRange(1_000_000, 1_000_000_000)
    instance = lxd.store.instances[HERE]
    assert instance.state is State.RUNNING
    assert owners(lxd) == (whole, whole)
    assert not any(key.startswith("security.idmap.") for key in instance.config)
    assert_tidy(lxd)


@pytest.fixture(autouse=True)
def _with_an_autostart_of_its_own(lxd: FakeLxd) -> None:
    lxd.store.instances[HERE].config["boot.autostart"] = "true"


def test_root_and_home_are_moved_once_and_it_runs_as_before(lxd: FakeLxd) -> None:
    assert [str(action) for action in plan_isolation(lxd, ["bob"])] == [
        "bob: stop it, change the owners of its files (root, volume home-bob) to the ids "
        "1065536:65536, start it"
    ]
    outcome = run(lxd, "bob")
    assert (outcome.done, failure(outcome)) == (("bob",), None)
    assert_isolated(lxd)
    assert run(lxd) == Outcome()


def test_the_gpu_says_what_gives_it_ids_of_its_own(lxd: FakeLxd) -> None:
    def told() -> str:
        return dict(of_container(show(lxd, SETTINGS, "bob"))[1])["ids"]

    assert told() == "shared with other containers; to separate them: invoke isolate bob"
    run(lxd)
    assert told() == "its own: 1065536 to 1131071 on the server"


def test_one_that_was_stopped_is_stopped_afterwards(lxd: FakeLxd) -> None:
    lxd.stop("bob")
    assert run(lxd).done == ("bob",)
    assert_isolated(lxd, State.STOPPED)


def test_two_of_one_plan_are_not_promised_the_same(lxd: FakeLxd) -> None:
    stamp(lxd, bob(name="eve"))
    share(lxd, "eve")
    lxd.store.instances["default", "by-hand"] = FakeInstance(
        config={"volatile.idmap.base": "0", "volatile.idmap.next": mapped(OWN)}
    )
    told = [str(action).split(" to the ids ")[1] for action in plan_isolation(lxd, [])]
    assert told == ["1065536:65536, start it", "1131072:65536, start it"]
    assert run(lxd).done == ("bob", "eve")


def test_a_directory_of_the_server_is_told_of(lxd: FakeLxd) -> None:
    share_of = {"type": "disk", "source": "/srv/data", "path": "/data"}
    lxd.update("bob", devices={"data": share_of, "other": {**share_of, "shift": "true"}})
    (action,) = plan_isolation(lxd, [])
    assert str(action).splitlines()[1:] == [
        "  /data is /srv/data of the server, where owners are not changed: files that its account "
        "wrote there still belong to 1001000; the account becomes 1066536"
    ]


def test_a_home_that_two_have_is_refused_by_name(lxd: FakeLxd) -> None:
    device = {"type": "disk", "pool": "default", "source": "home-bob", "path": "/mnt"}
    lxd.store.instances["default", "by-hand"] = FakeInstance(devices={"home": device})
    with pytest.raises(InputError) as caught:
        plan_isolation(lxd, ["bob"])
    assert str(caught.value) == (
        "Nothing was changed: some of these containers cannot be moved to ids of their own.\n"
        "  bob: skip, its volume home-bob (pool default) is also attached to by-hand, and LXD "
        "attaches a volume only to containers with the same ids; first: "
        "lxc storage volume detach default home-bob by-hand\n"
        "Next: Correct what each line says, or leave out these containers."
    )
    outcome = run(lxd)
    assert [one.name for one in outcome.left] == ["bob"]
    assert lxd.changes == []


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({labels.PHASE: labels.PREPARING}, "it is only half made; first: invoke provision bob"),
        ({labels.SYNC: "x y"}, "its driver is being changed; first: invoke sync-drivers bob"),
        (
            {"security.privileged": "true"},
            "it is privileged: its root user is root of the server, too",
        ),
        (
            {"security.protection.shift": "true"},
            "security.protection.shift forbids new owners of its files; first: "
            "lxc config unset bob security.protection.shift",
        ),
    ],
)
def test_what_is_left_alone(lxd: FakeLxd, config: dict[str, str], reason: str) -> None:
    lxd.store.instances[HERE].config.update(config)
    assert [str(one) for one in run(lxd).left] == [f"bob: skip, {reason}"]
    assert lxd.changes == []


def test_files_beyond_the_range_are_refused_before_anything_is_stopped(lxd: FakeLxd) -> None:
    def answer(_name: str, argv: Sequence[str], _stdin: bytes | None) -> Completed:
        found = "/home/x\x1b[31m\n" if argv[0] == "find" else ""
        return Completed(exit_code=0, stdout=found, stderr="")

    lxd.on_run = answer
    failed = failure(run(lxd))
    assert isinstance(failed, InputError)
    assert str(failed).splitlines()[:2] == [
        "bob has files of the ids 65536 and above, which do not exist in its new range. bob is in "
        "its earlier state.",
        "  '/home/x\\x1b[31m'",
    ]
    assert "stop bob" not in lxd.changes
    assert_as_before(lxd)


def test_a_shift_that_ends_half_way_is_undone_by_the_snapshots(lxd: FakeLxd) -> None:
    lxd.store.shift_failures["bob"] = LxdError("LXD could not start bob.")
    failed = failure(run(lxd))
    assert str(failed) == "LXD could not start bob. bob is in its earlier state."
    assert_as_before(lxd)
    assert run(lxd).done == ("bob",)
    assert_isolated(lxd)


def test_where_going_back_fails_the_next_run_goes_on(lxd: FakeLxd) -> None:
    lxd.store.shift_failures["bob"] = LxdError("LXD could not start bob.")
    lxd.failures["restore_volume"] = LxdError("No.", fix="Free space.")
    failed = failure(run(lxd))
    assert failed is not None
    assert failed.fix == (
        "Free space.\nCorrect the cause, then continue (no file is lost): invoke isolate bob"
    )
    assert lxd.store.contents[HOME].owners == MIXED
    # The server's boot would go on with LXD's wrong notes.
    assert lxd.store.instances[HERE].config["boot.autostart"] == "false"
    for forbidden in (
        lambda: lifecycle.start(lxd, SETTINGS, "bob", report=Silent(), probe_ssh=banner),
        lambda: lifecycle.destroy(lxd, SETTINGS, "bob", purge=True, report=Silent()),
    ):
        with pytest.raises(InputError) as caught:
            forbidden()
        assert "invoke isolate bob" in str(caught.value)


def test_no_room_changes_nothing(lxd: FakeLxd) -> None:
    lxd.store.id_range = IdRange(1_000_000, 65_536)
    with pytest.raises(CapacityError):
        plan_isolation(lxd, [])
    assert lxd.changes == []


def test_a_range_taken_from_another_machine_is_given_up(
    lxd: FakeLxd, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = FakeLxd.update_volume

    def update_volume(self: FakeLxd, pool: str, name: str, config: dict[str, str | None]) -> None:
        original(self, pool, name, config)
        if config.get(labels.IDS) == str(OWN):
            self.store.volumes["default", "home-eve"] = {labels.IDS: str(OWN)}

    monkeypatch.setattr(FakeLxd, "update_volume", update_volume)
    failed = failure(run(lxd))
    assert isinstance(failed, CapacityError)
    assert "volume home-eve in pool default has them now" in str(failed)
    assert labels.IDS not in lxd.store.volumes[HOME]
    assert_as_before(lxd)


@pytest.mark.parametrize("asleep", [False, True])
@pytest.mark.parametrize("half", [False, True])
def test_killed_before_any_change_the_next_run_finishes(
    lxd: FakeLxd, *, asleep: bool, half: bool
) -> None:
    """HALF: LXD itself ended in the middle of its own work, too."""
    lxd.write_file("bob", "/home/thesis", b"years")
    if asleep:
        lxd.stop("bob")
    if half:
        lxd.store.shift_failures["bob"] = LxdError("connection reset by peer")
    for dead in deaths(lxd, lambda lxd: run(lxd, "bob"), least=10):
        dead.store.shift_failures.clear()
        run(dead)
        assert_isolated(dead, State.STOPPED if asleep else State.RUNNING)
        assert dead.store.contents[HOME].files["/thesis"].content == b"years"


def test_a_run_that_lives_is_left_alone(lxd: FakeLxd) -> None:
    for builder, told in (
        (me(), "is moving it"),
        ("lab1 4711 1", "may still be moving it. If that process no longer exists"),
    ):
        mark = MoveMarker(builder=builder, range=OWN, snapshot="s", stage=Stage.MOVING)
        lxd.store.instances[HERE].config[labels.ISOLATE] = str(mark)
        (left,) = run(lxd).left
        assert left.reason.startswith(f"{in_words(builder)} {told}")
    assert lxd.changes == []
