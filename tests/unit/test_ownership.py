"""Who may write what root runs: each component of a path, through every link."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab import own_files
from lab.errors import InputError
from lab.machine import ownership
from lab.machine.ownership import Fault, fault_of, faults
from lab.own_files import insist, refusal, trusted

ME = os.geteuid()
OURS = frozenset({0, ME})
NAME = pwd.getpwuid(ME).pw_name


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lab" / "checkout" / "tasks.py"
    path.parent.mkdir(parents=True)
    path.write_text("")
    return path


def test_one_s_own_file_is_no_fault(file: Path) -> None:
    assert fault_of(file, OURS) is None


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_the_file_and_each_directory_above_it_are_judged(file: Path, steps: int) -> None:
    path = (file, *file.parents)[steps]
    path.chmod(0o777)
    assert fault_of(file, OURS) == Fault(
        path=path, why="may be written by everybody", command=f"chmod go-w {path}"
    )


def test_another_s_file_is_a_fault(file: Path) -> None:
    found = fault_of(file, {ME + 1, 0} - {ME} or {ME + 1})
    assert found is not None
    assert found.why == f"belongs to {NAME if ME else 'root'}"
    assert found.command == f"chown -h root: {found.path}"


def test_a_sticky_directory_guards_what_lies_in_it_and_not_itself(file: Path) -> None:
    shared = file.parent
    shared.chmod(0o1777)
    assert fault_of(file, OURS) is None
    found = fault_of(shared, OURS)
    assert found is not None
    assert found.path == shared


@pytest.mark.parametrize("absolute", [True, False])
def test_links_are_followed(file: Path, tmp_path: Path, *, absolute: bool) -> None:
    link = tmp_path / "link"
    link.symlink_to(file.parent if absolute else Path("lab/checkout"))
    assert fault_of(link / "tasks.py", OURS) is None
    file.parent.parent.chmod(0o777)
    found = fault_of(link / ".." / "checkout" / "tasks.py", OURS)
    assert found is not None
    assert found.path == file.parent.parent


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert fault_of(tmp_path / "a", OURS) is None


def test_of_what_is_not_there_its_place_is_judged(tmp_path: Path) -> None:
    assert fault_of(tmp_path / "none" / "lab.yaml", OURS) is None
    tmp_path.chmod(0o777)
    assert fault_of(tmp_path / "none" / "lab.yaml", OURS) is not None


def test_a_group_of_one_s_own_is_no_other_account(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.chmod(0o664)
    account = SimpleNamespace(pw_name="alice", pw_gid=file.stat().st_gid)
    monkeypatch.setattr(pwd, "getpwuid", lambda _uid: account)
    monkeypatch.setattr(grp, "getgrgid", lambda _gid: Group("staff", []))
    found = fault_of(file, OURS)
    assert found is not None
    assert found.why == "may be written by the group staff"
    monkeypatch.setattr(grp, "getgrgid", lambda _gid: Group("alice", []))
    assert fault_of(file, OURS) is None
    # What looks like the group's right may be anybody's then.
    monkeypatch.setattr(os, "listxattr", lambda _path, **_: ["system.posix_acl_access"])
    found = fault_of(file, OURS)
    assert found is not None
    assert found.why == "has an access list (getfacl)"


class Group:
    def __init__(self, name: str, members: list[str]) -> None:
        self.gr_name, self.gr_mem = name, members


@pytest.mark.parametrize(
    ("group", "is_private"),
    [
        (Group("root", []), True),
        (Group("root", ["root"]), True),
        (Group("root", ["alice"]), False),
        (Group("staff", []), False),
    ],
)
def test_which_group_is_private(
    monkeypatch: pytest.MonkeyPatch, group: Group, *, is_private: bool
) -> None:
    monkeypatch.setattr("grp.getgrgid", lambda _gid: group)
    assert ownership._is_private(0, {0}) is is_private


def test_sudo_names_who_is_trusted() -> None:
    assert trusted({}) == {0}
    assert trusted({"SUDO_UID": "1000"}) == {0, 1000}
    assert trusted({"SUDO_UID": "#1000"}) == {0}


def test_a_refusal_names_paths_and_commands() -> None:
    found = [
        Fault(path=Path(f"/srv/{n}"), why="belongs to eve", command=f"chown -h root: /srv/{n}")
        for n in range(7)
    ]
    assert str(refusal("No.", found[:1], environ={"SUDO_UID": "1000"})) == (
        "No.\n"
        "  /srv/0 belongs to eve\n"
        "Next: Check whether somebody changed it, then run:\n"
        "      sudo chown -h root: /srv/0"
    )
    said = str(refusal("No.", found, environ={}))
    assert "  and 2 more\n" in said
    assert said.endswith("      chown -h root: /srv/4")


def test_a_checkout_is_mended_as_a_whole_and_moved_out_of_somebody_s_home() -> None:
    checkout = Path("/home/eve/lab")
    paths = (checkout / "a", checkout / "b", checkout.parent)
    found = [Fault(path=path, why="belongs to eve", command="chown -h root: x") for path in paths]
    found.append(Fault(path=Path("/home"), why="may be written", command="chmod go-w /home"))
    said = str(refusal("No.", found, checkout, environ={}))
    assert said.partition("then run:\n")[2].splitlines() == [
        "      chown -R root: /home/eve/lab && chmod -R go-w /home/eve/lab",
        "      mv /home/eve/lab /opt/ && chown -R root: /opt/lab",
        "      chmod go-w /home",
    ]


@pytest.mark.parametrize("uid", [0, 1000])
def test_root_alone_is_judged(file: Path, monkeypatch: pytest.MonkeyPatch, uid: int) -> None:
    file.chmod(0o666)
    monkeypatch.setattr("os.geteuid", lambda: uid)
    monkeypatch.setattr(own_files, "trusted", lambda: OURS)

    def judge() -> None:
        insist("runs", [file])

    if uid == 0:
        with pytest.raises(InputError, match=r"tasks\.py may be written by everybody"):
            judge()
    else:
        judge()


def test_all_that_is_in_a_directory_is_judged(tmp_path: Path) -> None:
    inside = tmp_path / "a" / "b" / "c"
    inside.parent.mkdir(parents=True)
    inside.write_text("")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("")
    (tmp_path / "a" / "link").symlink_to(elsewhere)
    assert list(faults([], [tmp_path / "a"], OURS)) == []
    inside.chmod(0o666)
    elsewhere.chmod(0o666)
    assert {one.path for one in faults([], [tmp_path / "a"], OURS)} == {inside, elsewhere}
