"""A lab whose LXD lost its database is put together again: all that was, and nothing else."""

from __future__ import annotations

import copy
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from lab import labels
from lab.errors import LxdError
from lab.gpus.missing import remembered
from lab.lxd.idmap import NEXT, ON_DISK, ON_VOLUME
from lab.lxd.model import Gpu, Volume
from provision.former import Stage, UpgradeMark
from provision.lab_state.actions import PutInstance, PutVolume
from provision.lab_state.document import LabState
from provision.lab_state.facts import read_facts
from provision.lab_state.gather import gather
from provision.lab_state.import_state import plan_now
from provision.lab_state.plan import plan_import
from provision.moving import Arrival, MoveMark
from provision.moving import Stage as MoveStage
from tests.support.builders.death import deaths
from tests.support.builders.lost_database import (
    SOURCE,
    Disk,
    a_lab,
    brought_back,
    lose_database,
    saved,
)
from tests.support.builders.stamping import SETTINGS
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import EPOCH, FakeInstance

HERE = ("default", "bob")
HOME = ("default", "home-bob")
BEFORE, AFTER = EPOCH, EPOCH + timedelta(hours=2)
"""The lab's file is written an hour after EPOCH."""


@pytest.fixture
def lxd() -> FakeLxd:
    return a_lab()


@pytest.fixture
def state(lxd: FakeLxd, tmp_path: Path) -> LabState:
    return saved(lxd, tmp_path)


@pytest.fixture
def lost(lxd: FakeLxd, state: LabState) -> Disk:
    return lose_database(lxd)


def as_now(lxd: FakeLxd) -> dict[str, object]:
    """All that a file would hold of it, but when it was read, images and others' instances."""
    told: dict[str, object] = gather(lxd, SETTINGS).model_dump(mode="json", by_alias=True)
    return {key: value for key, value in told.items() if key not in {"written", "images"}}


def told(lxd: FakeLxd, state: LabState, *, from_file: bool = False) -> list[str]:
    return [str(one) for one in plan_now(lxd, SETTINGS, state, from_file=from_file).told]


def test_everything_is_as_before_and_a_second_run_does_nothing(
    lxd: FakeLxd, state: LabState
) -> None:
    before, volumes = as_now(lxd), copy.deepcopy(lxd.store.volumes)
    disk = lose_database(lxd)
    plan = brought_back(lxd, state, disk)
    after = as_now(lxd)
    # LXD gives no way to set the config of a snapshot.
    for one in (before, after):
        for volume in one["volumes"]:  # type: ignore[attr-defined]
            for snapshot in volume["snapshots"]:
                snapshot.pop("config")
    # A pool that is known by more than its name has what LXD notes, too.
    assert after == before
    assert {place: lxd.store.volumes[place] for place in volumes if place[1] != "theirs"} == {
        place: config for place, config in volumes.items() if place[1] != "theirs"
    }
    assert lxd.store.volumes["default", "theirs"] == {}
    assert plan.actions == ()
    changes = list(lxd.changes)
    assert brought_back(lxd, state, disk).actions == ()
    assert lxd.changes == changes
    assert len(disk.asked) == 1


def test_what_lxd_recover_needs_is_there_before_it_is_asked(
    lxd: FakeLxd, state: LabState, lost: Disk
) -> None:
    plan = plan_now(lxd, SETTINGS, state)
    assert [str(one) for one in plan.actions] == [
        "make the project lab-build",
        "make the network ACL apart",
        "make the network lab-builders (10.9.0.1/24)",
        "make the network lxdbr0 (10.77.0.1/24)",
        "add to the profile default: device eth0, device root",
        "make the profile lab",
        f"have `lxd recover` find all that is in the pool default (btrfs, {SOURCE['source']})\n"
        "  then put back the keys of 2 containers and 3 volumes",
    ]
    brought_back(lxd, state, lost)
    assert [change.split()[0] for change in lxd.changes] == [
        *("create_project", "set_network_acl", "create_network", "create_network"),
        *("set_profile", "set_profile", "update_volume", "update_volume", "update_volume"),
    ]
    (pools,) = lost.asked
    assert [(one.name, one.driver, one.source, one.config) for one in pools] == [
        ("default", "btrfs", SOURCE["source"], {"size": "20GiB"})
    ]


def test_a_run_that_is_killed_anywhere_is_gone_on_with(lxd: FakeLxd, state: LabState) -> None:
    before = gather(lxd, SETTINGS).instances
    volumes = copy.deepcopy(lxd.store.volumes)
    disk = lose_database(lxd)
    for dead in deaths(lxd, lambda one: brought_back(one, state, disk), least=9):
        brought_back(dead, state, disk)
        after = gather(dead, SETTINGS).instances
        # Who took a snapshot is this very process, which was said to be dead.
        bare = [
            [one.model_copy(update={"snapshots": ()}) for one in each] for each in (before, after)
        ]
        assert bare[0] == bare[1]
        assert {**dead.store.volumes, ("default", "theirs"): {"size": "1GiB"}} == volumes


def test_a_healthy_lab_is_left_alone(lxd: FakeLxd, state: LabState) -> None:
    lxd.store.written = dict.fromkeys(lxd.store.instances, AFTER)
    # Taken away since, and on purpose.
    lxd.update("bob", config={labels.SNAPSHOTS: None, "limits.cpu": "4"})
    lxd.update_volume(*HOME, {"size": None})
    lxd.changes.clear()
    plan = brought_back(lxd, state)
    assert (plan.actions, lxd.changes) == ((), [])
    assert [str(one) for one in plan.told] == [
        "bob: LXD's own record of it is newer than the file, so these stay as they are: limits.cpu"
        "\n  Next: To have them as in the file, add: --from-file"
    ]


@pytest.mark.parametrize(("written", "put"), [(BEFORE, "2"), (AFTER, "4"), (None, "4")])
def test_the_newer_of_file_and_record_counts(
    lxd: FakeLxd, state: LabState, written: datetime | None, put: str
) -> None:
    lxd.update("bob", config={"limits.cpu": "4"})
    lxd.store.written = {HERE: written}
    brought_back(lxd, state)
    assert lxd.store.instances[HERE].config["limits.cpu"] == put
    brought_back(lxd, state, from_file=True)
    assert lxd.store.instances[HERE].config["limits.cpu"] == "2"


def test_another_root_is_not_given_the_keys_of_the_earlier_one(
    lxd: FakeLxd, state: LabState
) -> None:
    lxd.update("bob", config={"volatile.base_image": "newer", labels.VERSION: "20261122.1"})
    assert brought_back(lxd, state, from_file=True).told[0].text.startswith("has another root")
    assert lxd.store.instances[HERE].config[labels.VERSION] == "20261122.1"


def test_what_the_pool_does_not_have_is_told_with_the_way_back(
    lxd: FakeLxd, state: LabState, lost: Disk
) -> None:
    lost.instances = {key: one for key, one in lost.instances.items() if key[1] == "theirs"}
    lost.volumes = tuple(place for place in lost.volumes if place[1] != "home-ann")
    plan = brought_back(lxd, state, lost)
    assert [str(one) for one in plan.told if "image" not in one.subject] == [
        "volume home-ann in default: not there\n"
        "  Next: If you have a backup of it: invoke restore-backup ann",
        "ann: neither the container nor its home is there\n  Next: invoke restore-backup ann",
        "bob: the container is not there; its home is (volume home-bob in default)\n"
        "  Next: invoke restore-backup bob, or a new container with that home: "
        "invoke provision bob",
    ]


def test_an_instance_of_somebody_s_by_that_name_stays(lxd: FakeLxd, state: LabState) -> None:
    lxd.store.instances[HERE] = FakeInstance(config={"limits.cpu": "1"})
    brought_back(lxd, state, from_file=True)
    assert lxd.store.instances[HERE].config == {"limits.cpu": "1"}
    assert "that labstamp did not make" in told(lxd, state)[0]


def test_marks_of_runs_of_that_night_do_not_come_back(lxd: FakeLxd, tmp_path: Path) -> None:
    lxd.update_volume(*HOME, {labels.RESTORE: "{}", labels.PHASE: "preparing"})
    lxd.update("bob", config={labels.SNAPSHOT: "x", labels.ISOLATE: "x", labels.RENAME: "x"})
    state = saved(lxd, tmp_path)
    disk = lose_database(lxd)
    for key in (labels.SNAPSHOT, labels.ISOLATE, labels.RENAME):
        disk.instances[HERE].config.pop(key)
    lxd.store.written = dict.fromkeys(disk.instances, BEFORE)
    brought_back(lxd, state, disk, from_file=True)
    home, config = lxd.store.volumes[HOME], lxd.store.instances[HERE].config
    assert labels.RESTORE not in home
    assert home[labels.PHASE] == labels.READY
    assert not {labels.SNAPSHOT, labels.ISOLATE, labels.RENAME} & config.keys()


def test_a_move_that_has_ended_since_stays_ended(lxd: FakeLxd, tmp_path: Path) -> None:
    arrival = str(Arrival(id="1", source="lab2", server="2" * 64, whole=True))
    moving = MoveMark(builder="x", id="1", name="ann", remote="b", url="https://b", server="2")
    lxd.update("bob", config={labels.ARRIVAL: arrival})
    lxd.update_volume(*HOME, {labels.ARRIVAL: arrival})
    lxd.update("ann", config={labels.MOVE: str(moving)})
    state = saved(lxd, tmp_path)
    disk = lose_database(lxd)
    del disk.instances[HERE].config[labels.ARRIVAL]
    del disk.instances["default", "ann"].config[labels.MOVE]
    lxd.store.written = dict.fromkeys(disk.instances, BEFORE)
    brought_back(lxd, state, disk, from_file=True)
    assert labels.ARRIVAL not in lxd.store.instances[HERE].config
    assert labels.ARRIVAL not in lxd.store.volumes[HOME]
    assert lxd.store.volumes[HOME][labels.OWNER] == "bob"
    assert labels.MOVE not in lxd.store.instances["default", "ann"].config


def test_one_that_another_server_has_is_not_used_again(lxd: FakeLxd, tmp_path: Path) -> None:
    moved = MoveMark(
        builder="x",
        id="1",
        name="bob",
        remote="b",
        url="https://b",
        server="2",
        stage=MoveStage.MOVED,
    )
    lxd.update("bob", config={labels.MOVE: str(moved)})
    state = saved(lxd, tmp_path)
    disk = lose_database(lxd)
    # The pool is an old copy.
    del disk.instances[HERE].config[labels.MOVE]
    lxd.store.written = dict.fromkeys(disk.instances, BEFORE)
    brought_back(lxd, state, disk)
    assert lxd.store.instances[HERE].config[labels.MOVE] == str(moved)


def test_a_copy_that_was_half_made_there_is_told(lxd: FakeLxd, tmp_path: Path) -> None:
    arrival = str(Arrival(id="1", source="lab2", server="2" * 64))
    lxd.update_volume(*HOME, {labels.ARRIVAL: arrival})
    state = saved(lxd, tmp_path)
    disk = lose_database(lxd)
    disk.instances = {key: one for key, one in disk.instances.items() if key != HERE}
    brought_back(lxd, state, disk)
    assert lxd.store.volumes[HOME] == {}
    assert any("a copy from another server was being made" in one for one in told(lxd, state))


def test_a_volume_of_which_nobody_knows_whose_it_is_stays(lxd: FakeLxd, tmp_path: Path) -> None:
    lxd.update_volume(*HOME, {labels.UNCLEAN: "true"})
    state = saved(lxd, tmp_path)
    brought_back(lxd, state, lose_database(lxd))
    assert lxd.store.volumes[HOME] == {}
    assert any("a copy of another home was being made" in one for one in told(lxd, state))


def own_map(base: int) -> str:
    return json.dumps(
        [
            {"Isuid": uid, "Isgid": not uid, "Hostid": base, "Nsid": 0, "Maprange": 65536}
            for uid in (True, False)
        ],
        separators=(",", ":"),
    )


def put_of_home(lxd: FakeLxd, state: LabState) -> tuple[PutVolume, list[str]]:
    plan = plan_import(state, read_facts(lxd, SETTINGS, state))
    puts = [one for one in plan.actions if isinstance(one, PutVolume) and one.name == "home-bob"]
    return puts[0], [str(one) for one in plan.told if "home-bob" in one.subject]


def test_lxd_is_told_whose_ids_the_files_really_have(lxd: FakeLxd, state: LabState) -> None:
    noted = next(one for one in state.volumes if one.name == "home-bob").config[ON_VOLUME]
    lxd.store.volumes[HOME] = {}
    put, told = put_of_home(lxd, state)
    assert (put.config[ON_VOLUME], told) == (noted, [])
    # `isolate` gave them others after the file was written; the instance's own record is newer.
    now = own_map(5_000_000)
    lxd.store.contents[HOME].owners = now
    put, told = put_of_home(lxd, state)
    assert not {ON_VOLUME, NEXT} & put.config.keys()
    assert "LXD is not told whose they are" in told[0]
    lxd.store.instances[HERE].config[ON_DISK] = now
    put, told = put_of_home(lxd, state)
    assert (put.config[ON_VOLUME], put.config[NEXT]) == (now, now)
    assert "but of those of bob: LXD is told so" in told[0]
    # Where nothing is to be seen, as on another machine, the file is believed.
    lxd.store.tells_states = False
    put, told = put_of_home(lxd, state)
    assert (put.config[ON_VOLUME], told) == (noted, [])
    # LXD wrote it itself, since the container ran meanwhile.
    lxd.store.volumes[HOME] = {ON_VOLUME: now, NEXT: now}
    put, told = put_of_home(lxd, state)
    assert not {ON_VOLUME, NEXT} & put.config.keys()


def test_snapshots_with_files_of_other_ids_are_told(lxd: FakeLxd, tmp_path: Path) -> None:
    volume = lxd.store.contents[HOME]
    kept = volume.kept["good"]
    volume.kept["good"] = type(kept)(
        owners=kept.owners,
        config={**kept.config, ON_VOLUME: own_map(7_000_000)},
        files=kept.files,
    )
    state = saved(lxd, tmp_path)
    lxd.store.volumes[HOME] = {}
    _, told = put_of_home(lxd, state)
    assert "snapshot good have ids of 7000000:65536" in told[0]


def test_a_gpu_that_is_gone_or_somebody_else_s_is_told(lxd: FakeLxd, tmp_path: Path) -> None:
    gpus = tuple(
        Gpu(pci=f"0000:b{number}:00.0", uuid=f"GPU-{number}", model="RTX 4090", driver="535.1")
        for number in range(2)
    )
    lxd.host_gpus = gpus
    devices = {f"gpu{n}": {"type": "gpu", "pci": one.pci} for n, one in enumerate(gpus)}
    lxd.update("bob", config={labels.GPUS: remembered(gpus)}, devices=devices)
    state = saved(lxd, tmp_path)
    lxd.update("bob", devices=dict.fromkeys(devices))
    lxd.update("ann", devices={"gpu0": devices["gpu0"]})
    lxd.store.written = dict.fromkeys(lxd.store.instances, BEFORE)
    lxd.host_gpus = gpus[:1]
    one_each = SETTINGS.model_copy(
        update={"gpus": SETTINGS.gpus.model_copy(update={"max_users_per_card": 1})}
    )
    assert one_each.gpus.limit == 1
    plan = plan_import(state, read_facts(lxd, one_each, state))
    assert [str(one) for one in plan.told if one.subject == "bob"] == [
        "bob: device gpu0 is not put back: ann has the GPU 0000:b0:00.0 now",
        "bob: device gpu1 is not put back: there is no GPU 0000:b1:00.0 in this server",
    ]
    lxd.update("ann", devices={"gpu0": None})
    brought_back(lxd, state)
    assert lxd.store.instances[HERE].devices["gpu0"] == devices["gpu0"]


def test_addresses_and_ids_that_another_has_now_are_told(lxd: FakeLxd, tmp_path: Path) -> None:
    nic = {"type": "nic", "network": "lxdbr0", "ipv4.address": "10.77.0.9"}
    lxd.update("bob", devices={"eth1": nic}, config={"volatile.eth1.hwaddr": "00:16:3e:00:00:01"})
    ids = lxd.store.instances[HERE].config["security.idmap.base"]
    state = saved(lxd, tmp_path)
    lxd.update(
        "bob",
        devices={"eth1": None},
        config={"volatile.eth1.hwaddr": None, "security.idmap.base": "1000000"},
    )
    lxd.update(
        "ann",
        devices={"eth1": nic},
        config={"volatile.eth1.hwaddr": "00:16:3e:00:00:01", "volatile.idmap.base": ids},
    )
    lxd.store.written = dict.fromkeys(lxd.store.instances, BEFORE)
    plan = plan_import(state, read_facts(lxd, SETTINGS, state))
    assert sorted(str(one) for one in plan.told if one.subject == "bob") == [
        "bob: device eth1 is not put back: ann has the address 10.77.0.9 now",
        "bob: its ids are not put back: ann has them now",
        "bob: volatile.eth1.hwaddr is not put back: ann has it now",
    ]
    assert not [one for one in plan.actions if isinstance(one, PutInstance) and one.name == "bob"]


def test_a_kept_root_has_its_note_again(lxd: FakeLxd, tmp_path: Path) -> None:
    mark = UpgradeMark(builder="x", name="bob", next="n", kept="bob-old", stage=Stage.KEPT)
    lxd.store.instances["default", "bob-old"] = FakeInstance(
        config={**lxd.store.instances[HERE].config, labels.UPGRADE: str(mark)}
    )
    state = saved(lxd, tmp_path)
    lxd.update("bob-old", config={labels.UPGRADE: None})
    lxd.store.written = dict.fromkeys(lxd.store.instances, BEFORE)
    brought_back(lxd, state)
    assert lxd.store.instances["default", "bob-old"].config[labels.UPGRADE] == str(mark)


def test_what_fails_for_one_does_not_stop_the_others(
    lxd: FakeLxd, state: LabState, lost: Disk
) -> None:
    lxd.failures["update_volume home-ann"] = LxdError("No room.")
    with pytest.raises(LxdError, match="1 of the changes could not be made"):
        brought_back(lxd, state, lost)
    assert lxd.store.volumes[HOME][labels.OWNER] == "bob"
    brought_back(lxd, state, lost)
    assert lxd.store.volumes["default", "home-ann"][labels.CONTAINER] == "ann"


def test_images_that_are_there_get_their_names_and_properties(
    lxd: FakeLxd, state: LabState
) -> None:
    fingerprint = lxd.aliases()["lab/base"]
    lxd.store.aliases.clear()
    image = lxd.store.images[fingerprint]
    properties = dict(image.image.properties)
    image.image = type(image.image)(fingerprint=fingerprint, created_at=EPOCH)
    brought_back(lxd, state)
    assert lxd.aliases()["lab/base"] == fingerprint
    found = lxd.image(fingerprint)
    assert found is not None
    assert found.properties == properties


def test_volumes_that_lxd_knew_all_along_keep_what_they_have(lxd: FakeLxd, state: LabState) -> None:
    lxd.store.volumes["default", "data"] = {"size": "2GiB"}
    brought_back(lxd, state)
    assert lxd.store.volumes["default", "data"] == {"size": "2GiB"}
    found = Volume(pool="default", name="data", config={"size": "2GiB"}, used_by=("ann",))
    assert found in lxd.volumes("default")
