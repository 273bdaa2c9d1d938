"""Access lists: what is in the kernel's bytes, and who may change a tree of files afterwards."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.machine.access import Count, allow, forbid, may_change, named
from lab.machine.acl import ACCESS, DEFAULT, Acl, of_mode, packed, read_acl

ANN, BOB = (200_000, 201_000), (300_000, 301_000)
BOTH = dict.fromkeys((*ANN, *BOB), 7)


def quiet(_count: Count) -> None: ...


def has(path: Path, kind: str = ACCESS) -> Acl | None:
    return read_acl(os.getxattr(path, kind)) if kind in os.listxattr(path) else None


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """A directory with files of before."""
    top = tmp_path / "team"
    (top / "old" / "deep").mkdir(parents=True)
    for path, mode in ((top, 0o750), (top / "old", 0o755), (top / "old" / "deep", 0o700)):
        path.chmod(mode)
    for name, mode in (("plan.txt", 0o644), ("old/run.sh", 0o755), ("old/deep/x", 0o600)):
        (top / name).write_text(name)
        (top / name).chmod(mode)
    return top


def test_a_list_is_read_as_it_is_written() -> None:
    acl = Acl(owner=7, group=5, other=0, mask=6, users={7: 4, 1000: 6}, groups={33: 4})
    assert read_acl(packed(acl)) == acl
    for raw in (b"", b"\x01\x00\x00\x00", packed(of_mode(0o644))[:12]):
        with pytest.raises(ValueError, match="POSIX access list"):
            read_acl(raw)


def test_all_that_is_there_may_be_changed_and_all_that_comes(team: Path) -> None:
    assert not may_change(team, ANN)
    assert allow(team, ANN, quiet).seen == 5
    allow(team, BOB, quiet)
    assert may_change(team, (*ANN, *BOB))
    assert has(team) == Acl(owner=7, group=5, other=0, mask=7, users=BOTH)
    assert has(team, DEFAULT) == Acl(owner=7, group=7, other=0, mask=7, users=BOTH)
    text = has(team / "plan.txt")
    assert text == Acl(owner=6, group=4, other=4, mask=6, users=dict.fromkeys(BOTH, 6))
    script = has(team / "old" / "run.sh")
    assert script == Acl(owner=7, group=5, other=5, mask=7, users=BOTH)
    assert (team / "old" / "deep" / "x").stat().st_mode & 0o777 == 0o660
    made = team / "old" / "new"
    made.write_text("")
    heir = has(made)
    assert heir is not None
    assert (heir.users, heir.mask) == (BOTH, 6)


def test_a_second_time_changes_nothing(team: Path) -> None:
    allow(team, ANN, quiet)
    assert allow(team, ANN, quiet).changed == 0


def test_a_directory_in_an_open_one_can_be_opened(team: Path) -> None:
    """As the trial is, where somebody has the share already."""
    allow(team, ANN, quiet)
    inner = team / "inner"
    inner.mkdir(mode=0o700)
    assert not may_change(inner, ANN)
    allow(inner, BOB, quiet)
    assert may_change(inner, (*ANN, *BOB))
    inner.chmod(0o700)
    assert not may_change(inner, BOB)


def test_what_somebody_made_private_since_stays_private(team: Path) -> None:
    allow(team, ANN, quiet)
    (team / "plan.txt").chmod(0o600)
    allow(team, BOB, quiet)
    text = has(team / "plan.txt")
    assert text is not None
    assert (text.mask, set(text.users)) == (0, set(BOTH))


def test_rights_are_taken_back_and_the_last_leaves_plain_modes(team: Path) -> None:
    before = {path: path.stat().st_mode for path in (team, *team.rglob("*"))}
    allow(team, ANN, quiet)
    allow(team, BOB, quiet)
    forbid(team, BOB, quiet)
    assert named(team) == set(ANN)
    text = has(team / "plan.txt")
    assert text is not None
    assert set(text.users) == set(ANN)
    forbid(team, ANN, quiet)
    assert named(team) == set()
    assert {path: path.stat().st_mode for path in before} == before
    assert not any(os.listxattr(path) for path in before)


def test_other_peoples_lists_stay(team: Path) -> None:
    acl = Acl(owner=6, group=4, other=0, mask=4, users={1500: 4}, groups={33: 4})
    os.setxattr(team / "plan.txt", ACCESS, packed(acl))
    allow(team, ANN, quiet)
    forbid(team, ANN, quiet)
    assert has(team / "plan.txt") == acl


def test_links_are_not_followed(team: Path, tmp_path: Path) -> None:
    outside = tmp_path / "shadow"
    outside.write_text("secret")
    outside.chmod(0o600)
    (tmp_path / "etc").mkdir()
    (team / "link").symlink_to(outside)
    (team / "directory").symlink_to(tmp_path / "etc")
    os.link(outside, team / "hard")
    os.mkfifo(team / "pipe")
    count = allow(team, ANN, quiet)
    assert outside.stat().st_mode & 0o777 == 0o600
    assert not os.listxattr(tmp_path / "etc")
    assert (count.seen, count.skipped) == (5, 1)


def test_a_hostile_depth_is_left_out(team: Path) -> None:
    here = os.open(team, os.O_RDONLY)
    for _ in range(250):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    assert allow(team, ANN, quiet).skipped == 1
    assert may_change(team, ANN)


class CutOff(Exception):
    """As a run that is killed."""


def test_what_was_cut_off_is_not_taken_for_done(team: Path) -> None:
    def stop(_count: Count) -> None:
        raise CutOff

    with pytest.raises(CutOff):
        allow(team, ANN, stop)
    assert (may_change(team, ANN), set(named(team))) == (False, set(ANN))
    allow(team, ANN, quiet)
    with pytest.raises(CutOff):
        forbid(team, ANN, stop)
    assert (may_change(team, ANN), set(named(team))) == (False, set(ANN))
    forbid(team, ANN, quiet)
    assert named(team) == set()
