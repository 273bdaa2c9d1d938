"""The file of a lab's state: what is in it and what never is, and files that cannot be used."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab import labels
from lab.errors import InputError
from lab.yaml.problems import shown
from provision.lab_state.document import Lab, LabState, as_text, read_state, refuse_another_lab
from provision.lab_state.export_state import write
from provision.lab_state.gather import gather
from tests.support.builders.lost_database import a_lab, saved
from tests.support.builders.stamping import SETTINGS, bob, stamp
from tests.support.fake_lxd.lxd import FakeLxd

HERE = Lab(server="fake", project="default", build_project="lab-build")


@pytest.fixture
def lxd() -> FakeLxd:
    return a_lab()


@pytest.fixture
def state(lxd: FakeLxd, tmp_path: Path) -> LabState:
    return saved(lxd, tmp_path)


def test_it_holds_what_labstamp_made_or_uses_and_nothing_of_others(state: LabState) -> None:
    assert [one.name for one in state.instances] == ["ann", "bob"]
    assert [one.name for one in state.volumes] == ["data", "home-ann", "home-bob"]
    assert list(state.networks) == ["lab-builders", "lxdbr0"]
    assert list(state.acls) == ["apart"]
    assert list(state.profiles) == ["default", "lab"]
    assert list(state.pools) == ["default"]
    assert list(state.projects) == ["default", "lab-build"]
    assert sum(len(one.aliases) for one in state.images) == 2
    here = next(one for one in state.instances if one.name == "bob")
    assert here.devices["port"]["listen"] == "tcp:0.0.0.0:8080"
    assert here.config["limits.cpu"] == "2"
    assert [one.name for one in here.snapshots] == ["good"]
    assert labels.SNAPSHOT in here.snapshots[0].config


def test_what_is_written_is_read_again(lxd: FakeLxd, tmp_path: Path) -> None:
    odd = 'tab\there, \x85 \u2028 \x7f é 字 \U0001f600 \ufeff "quoted" \\ #: {}'
    lxd.update("bob", config={"user.lab.note": odd}, description=odd)
    state = saved(lxd, tmp_path)
    here = next(one for one in state.instances if one.name == "bob")
    assert (here.config["user.lab.note"], here.description) == (odd, odd)
    assert state == gather(lxd, SETTINGS)
    assert as_text(state) == as_text(gather(lxd, SETTINGS))


def test_no_secret_is_in_it(lxd: FakeLxd) -> None:
    made = stamp(lxd, bob(name="eve", password=True, keys=()))
    assert made.password
    secret = {
        "environment.API_TOKEN": "tok-3",
        "raw.lxc": "tok-4",
        "user.password": "tok-5",
        "cloud-init.vendor-data": "chpasswd: {list: [eve:tok-6]}",
        "cloud-init.user-data": "users: [{name: a, hashed_passwd: $6$abcdefgh$ijklmnop.qrs/}]",
    }
    lxd.update("eve", config=secret)
    text = as_text(gather(lxd, SETTINGS))
    assert made.password not in text
    assert not [word for word in ("tok-", "$6$", "hashed_passwd") if word in text]
    # The others' user-data, which holds ssh keys alone, is there.
    assert text.count("cloud-init.user-data") == 2


def test_a_file_is_its_owners_alone_and_whole(state: LabState, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path, removed = write(state, tmp_path / "lab.json")
    finally:
        os.umask(before)
    assert (path, removed) == (tmp_path / "lab.json", ())
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_state(path) == state
    assert sorted(one.name for one in tmp_path.iterdir() if one.name.startswith(".")) == []


def test_a_directory_keeps_the_newest_of_this_lab(state: LabState, tmp_path: Path) -> None:
    place = tmp_path / "states"
    place.mkdir()
    theirs = ("notes.json", "fake-lab2-20260101-000000.json", "fake-default-x.json")
    for name in theirs:
        (place / name).touch()
    half = place / ".fake-default-20261121-000000.json.abc"
    half.touch()
    os.utime(half, (0, 0))
    for hour in range(5):
        later = state.model_copy(update={"written": f"2026-11-21T0{hour}:00:00+00:00"})
        _, removed = write(later, place, keep=3)
    assert removed == (place / "fake-default-20261121-010000.json",)
    own = [f"fake-default-20261121-0{hour}0000.json" for hour in (2, 3, 4)]
    assert sorted(one.name for one in place.iterdir()) == sorted([*own, *theirs])


def test_what_killed_runs_left_beside_a_file_goes(state: LabState, tmp_path: Path) -> None:
    old, now, other = (tmp_path / name for name in (".lab.json.abc", ".lab.json.def", ".lab2.json"))
    for one in (old, now, other):
        one.touch()
    for one in (old, other):
        os.utime(one, (0, 0))
    write(state, tmp_path / "lab.json")
    left = {one.name for one in tmp_path.iterdir()} - {"state.json"}
    assert left == {"lab.json", now.name, other.name}


def test_a_place_that_cannot_be_written_is_told(state: LabState, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written") as error:
        write(state, tmp_path / "no" / "such" / "file.json")
    assert error.value.exit_code == 2


def problems(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> str:
    """What is said of the file after CHANGE."""
    path = tmp_path / "state.json"
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told, indent=1))
    return refusal(path)


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as error:
        read_state(path)
    assert error.value.exit_code == 2
    return str(error.value).replace(shown(path), "FILE")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda one: one.update({"labstamp-state": 2}), "FILE:2: the format of this file is 2."),
        (lambda one: one.pop("labstamp-state"), "FILE is not a file of `invoke export-state`."),
        (lambda one: one.pop("volumes"), "volumes: missing"),
        (lambda one: one.update(extra=1), "extra: unknown key"),
        (
            lambda one: one["instances"][0].update(name="../etc"),
            'instances[0].name: must be a name as LXD gives them, not "../etc"',
        ),
        (
            lambda one: one["instances"][0]["config"].update({"raw.lxc": "lxc.hook=/x"}),
            "is not among the keys that such a file holds",
        ),
        (
            lambda one: one["volumes"][0].update(config=["a"]),
            "volumes[0].config: must be a mapping (key: value), not a list",
        ),
        (
            lambda one: one["instances"].append(one["instances"][0]),
            "FILE: instances: ann is in it twice.",
        ),
        (lambda one: one.update(written="yesterday"), "written: must be a time such as"),
    ],
)
def test_a_file_that_somebody_changed_is_told_by_line(
    state: LabState, tmp_path: Path, change: Callable[[dict[str, Any]], object], told: str
) -> None:
    assert told in problems(tmp_path, change)


def test_a_line_is_named(state: LabState, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    lines = path.read_text().splitlines()
    number = next(n for n, line in enumerate(lines, start=1) if '"fingerprint"' in line)
    lines[number - 1] = '   "fingerprint": 7,'
    path.write_text("\n".join(lines) + "\n")
    assert f"FILE:{number}: images[0].fingerprint: must be text, not 7" in refusal(path)


@pytest.mark.parametrize("part", [0, 1, 100, 3000, -2])
def test_a_file_that_is_cut_off_is_told_so(state: LabState, tmp_path: Path, part: int) -> None:
    path = tmp_path / "state.json"
    path.write_text(path.read_text()[:part])
    assert refusal(path).startswith("FILE is cut off: its end is missing.")


def test_other_files_are_told_apart(tmp_path: Path) -> None:
    other = tmp_path / "lab.yaml"
    other.write_text("pool: default\n")
    assert refusal(other).startswith("FILE is not a file of `invoke export-state`.")
    other.write_text("} not yaml {}")
    assert "FILE:1: not YAML" in refusal(other)
    assert "FILE: cannot be read: No such file" in refusal(tmp_path / "none")


def test_a_file_of_another_lab_or_server_is_refused(state: LabState, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    refuse_another_lab(path, state, HERE, moved=False)
    other = Lab(server="fake", project="lab2", build_project="lab-build")
    with pytest.raises(InputError) as error:
        refuse_another_lab(path, state, other, moved=True)
    assert 'project: "default" in the file, "lab2" here' in str(error.value)
    elsewhere = Lab(server="lab9", project="default", build_project="lab-build")
    with pytest.raises(InputError, match='is of the server "fake", and this is "lab9"'):
        refuse_another_lab(path, state, elsewhere, moved=False)
    refuse_another_lab(path, state, elsewhere, moved=True)


def test_a_file_that_others_may_write_is_not_believed(state: LabState, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.chmod(0o666)
    assert "Another account may change files that root puts into containers" in refusal(path)
