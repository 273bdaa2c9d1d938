"""The lab as its file says: made, changed in place, and left alone where nothing differs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab import labels
from lab.errors import CapacityError, InputError, LabError
from lab.instances.ssh_keys import DROP_IN, KEYS, REVOKED
from lab.lxd.model import State
from lab.report import Silent
from lab.settings.settings import Settings
from provision import lifecycle
from provision.lab_file.apply import failure
from provision.lab_file.steps import Kind
from tests.support.builders.death import deaths
from tests.support.builders.filed import THREE, Filed
from tests.support.builders.four_gpus import FOUR, PCI
from tests.support.builders.public_keys import ed25519, key
from tests.support.builders.stamping import SETTINGS, bob, inside, stamp
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeInstance

GIB = 1 << 30
NEW_KEY = ed25519(5, "ann@laptop")


@pytest.fixture
def filed() -> Filed:
    """Three people, as the file says."""
    made = Filed()
    outcome = made.apply()
    assert (outcome.done, outcome.failed) == (("ann", "ben", "eve"), ())
    made.lxd.changes.clear()
    return made


def test_an_empty_lab_is_made_and_a_second_run_changes_nothing() -> None:
    filed = Filed()
    assert filed.plan() == [
        "+ ann  new  base, 1 CPU, 1.0 GiB memory, 4.0 GiB disk, 2.0 GiB home, no GPU, 1 key",
        "+ ben  new  base, 1 CPU, 1.0 GiB memory, 4.0 GiB disk, 2.0 GiB home, no GPU, 1 key",
        "+ eve  new  base, 1 CPU, 1.0 GiB memory, 4.0 GiB disk, 2.0 GiB home, no GPU, 1 key, "
        "until 2027-06-30",
        "",
        "3 containers: 3 to make, 0 as the file says.",
    ]
    filed.apply()
    assert filed.passwords == {"ann": None, "ben": None, "eve": None}
    config = filed.config("ann")
    assert (config["limits.cpu"], config["limits.memory"]) == ("1", "1GiB")
    filed.lxd.changes.clear()
    assert filed.plan() == ["3 containers: 3 as the file says; nothing to do."]
    filed.apply()
    assert filed.lxd.changes == []


def test_three_lines_are_three_changes_in_place(filed: Filed) -> None:
    filed.edit("ann: {group: students,", "ann: {group: students, memory: 2GiB, reason: R,")
    filed.edit("until: 2027-06-30", "until: 2027-12-31")
    filed.edit('"]}}}\n  eve', f'", "{NEW_KEY}"]}}}}}}\n  eve')
    assert filed.plan() == [
        "~ ann  memory  1.0 GiB → 2.0 GiB",
        "~      reason  R",
        f"~ ben  keys    + ann@laptop ({key(5).fingerprint[:15]}…)",
        "~ eve  until   2027-06-30 → 2027-12-31",
        "",
        "3 containers: 3 to change (3 changes), 0 as the file says.",
    ]
    filed.apply()
    assert not {"create", "start", "stop", "delete"} & {
        change.split()[0] for change in filed.lxd.changes
    }
    assert filed.config("ann")["limits.memory"] == "2GiB"
    assert filed.config("eve")[labels.UNTIL] == "2027-12-31"
    assert filed.plan()[-1] == "3 containers: 3 as the file says; nothing to do."


def test_a_line_that_is_removed_removes_nothing_without_prune(filed: Filed) -> None:
    filed.text = THREE[: THREE.index("  eve:")]
    stays = "· eve    is not in the file, and stays; --prune removes it, and keeps its /home"
    assert filed.plan() == [
        stays,
        "",
        "3 containers: 1 not in the file, 2 as the file says; nothing to do.",
    ]
    filed.apply()
    assert filed.lxd.changes == []
    assert filed.plan(prune=True)[0] == "- eve  remove  the container; its /home is kept"
    filed.apply(prune=True)
    assert ("default", "eve") not in filed.lxd.store.instances
    assert ("default", "home-eve") in filed.lxd.store.volumes
    assert filed.plan(prune=True) == ["2 containers: 2 as the file says; nothing to do."]
    # Back with the same home.
    filed.text = THREE
    assert filed.plan()[0].endswith("; its kept /home is used")
    filed.apply()
    assert filed.plan()[-1].endswith("nothing to do.")


def test_a_file_without_anybody_removes_nobody(filed: Filed) -> None:
    filed.text = "containers: {}\n"
    with pytest.raises(InputError, match="no container at all"):
        filed.plan(prune=True)


def test_what_somebody_changed_is_shown_and_kept_or_set_back(filed: Filed) -> None:
    filed.lxd.update("ann", config={"limits.memory": "3GiB"})
    filed.lxd.update("ben", devices={"web": {"type": "proxy", "listen": "tcp:0.0.0.0:80"}})
    filed.lxd.changes.clear()
    left = (
        "? ann  memory   3.0 GiB; the file says 1.0 GiB. It was changed outside of the file: "
        "--set-back or --keep"
    )
    devices = "· ben  devices  given by hand, and stay: web (proxy)"
    assert filed.plan() == [
        left,
        devices,
        "",
        "3 containers: 1 changed outside of the file, 2 as the file says; nothing to do.",
    ]
    filed.apply()
    assert (filed.lxd.changes, filed.config("ann")["limits.memory"]) == ([], "3GiB")
    assert filed.plan()[0] == left
    # Kept, it is not told again; until it is changed once more.
    filed.apply(keep=True)
    assert filed.plan() == [devices, "", "3 containers: 3 as the file says; nothing to do."]
    filed.lxd.update("ann", config={"limits.memory": "4GiB"})
    assert filed.plan()[0].startswith("? ann  memory   4.0 GiB; the file says 1.0 GiB.")
    assert filed.plan(set_back=True)[0] == (
        "~ ann  memory   4.0 GiB → 1.0 GiB; it was changed outside of the file"
    )
    filed.apply(set_back=True)
    assert filed.config("ann")["limits.memory"] == "1GiB"
    assert filed.plan()[0] == devices


def test_a_file_that_says_something_new_goes_before_what_was_kept(filed: Filed) -> None:
    filed.lxd.update("ann", config={"limits.memory": "3GiB"})
    filed.apply(keep=True)
    filed.edit("memory: 1GiB", "memory: 2GiB")
    assert [line[:31] for line in filed.plan()[:2]] == [
        "~ ann  memory  3.0 GiB → 2.0 Gi",
        "~ ben  memory  1.0 GiB → 2.0 Gi",
    ]
    filed.apply()
    filed.lxd.update("ann", config={"limits.memory": "3GiB"})
    assert filed.plan()[0].startswith("? ann")


def test_keys_are_given_and_revoked_in_place(filed: Filed) -> None:
    filed.edit(ed25519(1, "ann@desk"), NEW_KEY)
    filed.apply()
    files = filed.lxd.store.instances["default", "ann"].files
    assert files[f"{KEYS}/ann"].content.decode() == f"{NEW_KEY}\n"
    assert str(REVOKED) in files
    assert "RevokedKeys" in files[DROP_IN].content.decode()
    assert ("systemctl", "try-reload-or-restart", "ssh.service") in inside(filed.lxd).ran
    home = filed.lxd.store.volumes["default", "home-ann"]
    assert set(home[labels.KEYS].split(",")) == {key(1).fingerprint, key(5).fingerprint}
    config = filed.config("ann")
    assert config[labels.AUTHORIZED] == NEW_KEY
    assert json.loads(config[labels.REQUEST])["keys"] == [key(5).fingerprint]
    assert filed.plan()[-1].endswith("nothing to do.")


def test_another_template_needs_to_be_asked_for(filed: Filed) -> None:
    filed.edit("ben: {group: students,", "ben: {group: students, template: docker, reason: R,")
    assert filed.plan()[0] == (
        "! ben  template  base; the file says docker-nested: only a new root has it, --replace ben"
    )
    filed.apply()
    assert filed.config("ben")[labels.TEMPLATE] == "base"
    assert filed.plan()[-1] == (
        "3 containers: 1 waiting for --replace, 2 as the file says; nothing to do."
    )
    assert filed.plan(replace=("ben",))[:3] == [
        "± ben  template  base → docker-nested",
        "±      root      is made again: what is installed outside of /home, snapshots and the "
        "address are lost",
        "~      reason    R",
    ]
    filed.lxd.write_file("ben", "/home/thesis", b"years")
    filed.apply(replace=("ben",))
    config = filed.config("ben")
    assert (config[labels.TEMPLATE], config["limits.memory"]) == ("docker-nested", "1GiB")
    assert filed.lxd.read_file("ben", "/home/thesis") == b"years"
    assert filed.plan(replace=("ben",))[-1].endswith("nothing to do.")


def test_only_some_are_looked_at(filed: Filed) -> None:
    filed.edit("memory: 1GiB", "memory: 2GiB")
    assert (
        filed.plan(only=("ann",))[-1] == "1 container: 1 to change (1 change), 0 as the file says."
    )
    filed.apply(only=("ann",))
    assert [filed.config(name)["limits.memory"] for name in ("ann", "ben")] == ["2GiB", "1GiB"]
    for option in ("only", "replace"):
        with pytest.raises(InputError, match='no container "anne" \\(did you mean "ann"'):
            filed.plan(**{option: ("anne",)})


def test_what_cannot_be_is_told_for_all_before_anything_is_changed(filed: Filed) -> None:
    filed.lxd.store.instances["default", "theirs"] = FakeInstance(profiles=("default",))
    filed.edit("until: 2027-06-30", "until: 2020-01-01")
    filed.edit("ann: {group: students,", "ann: {group: students, home: 16MiB, reason: R,")
    filed.text += (
        "  theirs: {}\n  dan: {template: dokcer}\n"
        "  fay: {people: {faye: {}}, home: 20GiB, until: never}\n"
    )
    with pytest.raises(LabError) as error:
        filed.plan()
    assert isinstance(error.value, InputError)
    assert error.value.brief == "containers.yaml cannot be applied; nothing was changed."
    lines = (error.value.details or "").splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["containers.yaml:6", "ann"],
        ["containers.yaml:8", "eve"],
        ["containers.yaml:9", "theirs"],
        ["containers.yaml:10", "dan"],
    ]
    assert "16.0 MiB is too small for the home: 1.0 MiB are in use." in lines[0]
    assert filed.lxd.changes == []


def test_another_account_is_refused(filed: Filed) -> None:
    filed.edit("people: {ann:", "people: {anna:")
    with pytest.raises(InputError, match="cannot be applied") as error:
        filed.plan()
    assert "its account is ann, and the file says anna" in str(error.value)


def test_cards_move_from_one_to_another_in_one_run() -> None:
    settings = Settings.model_validate(
        {
            "gpus": {"policy": "exclusive"},
            "driver": {"delivery": "none"},
            "limits": {"memory": "256MiB"},
        }
    )
    people = "containers:\n  ann: {{gpus: {}}}\n  ben: {{gpus: {}}}\n  eve: {{gpus: {}}}\n"
    filed = Filed(people.format(2, 2, 0), settings)
    filed.lxd.host_gpus = FOUR
    filed.apply()
    filed.text = people.format(1, 2, 1)
    filed.lxd.changes.clear()
    has = filed.look().entries[0].differences[0].has
    assert has in {f"{PCI[0]},{PCI[1]}", f"{PCI[2]},{PCI[3]}"}
    assert filed.plan()[:2] == [
        f"~ ann  gpus  {has.replace(',', ', ')} → 1",
        "~ eve  gpus  none → 1",
    ]
    assert failure(filed.apply()) is None
    assert filed.plan()[-1].endswith("nothing to do.")
    filed.text = people.format(1, 2, 2)
    with pytest.raises(CapacityError, match="cannot be applied"):
        filed.plan()
    # Those of who is removed are there for the others.
    filed.text = people.format(1, 2, 2).replace("  ben: {gpus: 2}\n", "")
    assert failure(filed.apply(prune=True)) is None
    assert filed.plan()[-1].endswith("nothing to do.")


def test_a_failure_leaves_the_others_alone(filed: Filed) -> None:
    filed.text += f'  fay: {{people: {{fay: {{keys: ["{ed25519(6)}"]}}}}}}\n'
    filed.edit("memory: 1GiB", "memory: 2GiB")
    filed.lxd.failures["update ann"] = CapacityError("No room.")
    outcome = filed.apply()
    assert [name for name, _ in outcome.failed] == ["ann"]
    assert outcome.done == ("ben", "eve", "fay")
    error = failure(outcome)
    assert isinstance(error, CapacityError)


def test_a_kept_home_whose_time_is_over_is_left(filed: Filed) -> None:
    volumes = filed.lxd.store.volumes
    lifecycle.destroy(filed.lxd, SETTINGS, "eve", purge=False, report=Silent())
    volumes["default", "home-eve"][labels.UNTIL] = "2020-01-01"
    filed.edit("until: 2027-06-30", "until: 2020-01-01")
    assert filed.plan()[0] == "· eve  until  2020-01-01 has passed; its /home is kept"
    filed.edit("until: 2020-01-01", "until: 2027-06-30")
    assert filed.plan()[0].startswith("+ eve  new")
    filed.apply()
    assert volumes["default", "home-eve"][labels.UNTIL] == "2027-06-30"


def test_a_container_that_was_made_by_hand_is_taken_into_the_file(filed: Filed) -> None:
    stamp(filed.lxd, bob(memory_bytes=2 * GIB, disk_bytes=4 * GIB))
    filed.text += f'  bob: {{memory: 2GiB, people: {{bob: {{keys: ["{ed25519()}"]}}}}}}\n'
    assert filed.plan()[-1] == "4 containers: 4 as the file says; nothing to do."
    filed.apply()
    filed.lxd.update("bob", config={"limits.memory": "3GiB"})
    assert filed.plan()[0].startswith("? bob  memory")


def test_a_run_that_is_killed_anywhere_is_finished_by_the_same_command() -> None:
    """Of one container that is made, one that is changed and one that is removed."""
    filed = Filed()
    filed.apply()
    filed.text = THREE[: THREE.index("  eve:")]
    filed.edit("ann: {group: students,", "ann: {group: students, memory: 2GiB, reason: R,")
    filed.edit(ed25519(2, "ben@desk"), NEW_KEY)
    filed.text += f'  fay: {{group: students, people: {{fay: {{keys: ["{ed25519(6)}"]}}}}}}\n'

    def run(lxd: FakeLxd) -> None:
        filed.apply(lxd, prune=True)

    for lxd in deaths(filed.lxd, run, least=12):
        error = failure(filed.apply(lxd, prune=True))
        assert error is None, error
        names = {name for _, name in lxd.store.instances}
        assert names == {"ann", "ben", "fay"}
        assert all(one.state is State.RUNNING for one in lxd.store.instances.values())
        assert {entry.kind for entry in filed.look(lxd, prune=True).entries} == {Kind.SAME}
        assert ("default", "home-eve") in lxd.store.volumes


def test_shares_are_given_and_taken(tmp_path: Path) -> None:
    (tmp_path / "sets").mkdir(mode=0o755)
    (tmp_path / "old").mkdir(mode=0o755)
    shares = {
        name: {"path": f"{tmp_path}/{name}", "at": f"/data/{name}", "kind": "read-only"}
        for name in ("sets", "old")
    }
    settings = Settings.model_validate(
        {"share-paths": (str(tmp_path),), "shares": shares, "limits": {"memory": "256MiB"}}
    )
    filed = Filed("containers:\n  ann: {shares: [old]}\n", settings)
    filed.apply()
    filed.edit("[old]", "[sets]")
    assert filed.plan()[0] == "~ ann  shares  + sets, - old"
    filed.apply()
    devices = filed.lxd.store.instances["default", "ann"].devices
    assert ("share-sets" in devices, "share-old" in devices) == (True, False)
    assert filed.plan()[-1].endswith("nothing to do.")
