"""One file or directory of a home comes back beside that of today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.errors import InputError, LxdError, NotFound
from lab.lxd.model import Completed
from lab.machine import lock
from lab.report import Silent
from provision.snapshots.files import below_home, take_out
from provision.snapshots.restore import restore
from provision.snapshots.take import take
from tests.support.builders.death import deaths
from tests.support.builders.stamping import SETTINGS, a_lab, banner, bob, hasty, stamp
from tests.support.fake_lxd.lxd import FakeLxd

HERE = ("default", "bob")
HOME = ("default", "home-bob")
COPY = ("default", "copy-home-bob")
THESIS = "/home/bob/thesis"
BESIDE = "/home/bob/thesis.restored-good"


@dataclass
class Tools:
    """`test` and `cp` of a container."""

    lxd: FakeLxd
    missing: bool = False
    broken: bool = False

    def __call__(self, name: str, argv: Sequence[str], _stdin: bytes | None) -> Completed:
        code = 0
        if self.missing:
            code = 127
        elif argv[0] == "test":
            code = int(argv[1] == "-L" or self._content(name, argv[2]) is None)
        elif argv[0] == "cp":
            content = self._content(name, argv[3])
            assert content is not None
            self.lxd.write_file(name, argv[4], content)
            code = int(self.broken)
        return Completed(exit_code=code, stdout="", stderr="cp: disk\nquota" if code else "")

    def _content(self, name: str, path: str) -> bytes | None:
        try:
            return self.lxd.read_file(name, path)
        except NotFound:
            return None


@pytest.fixture
def lxd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLxd:
    monkeypatch.setattr(lock, "have_place", lambda _remote: tmp_path)
    lxd = a_lab()
    stamp(lxd, bob())
    lxd.write_file("bob", THESIS, b"years")
    take(lxd, SETTINGS, "bob", "good", Silent())
    lxd.write_file("bob", THESIS, b"")
    lxd.on_run = Tools(lxd)
    lxd.changes.clear()
    return lxd


def out(lxd: FakeLxd, path: str = "thesis", snapshot: str = "good") -> str:
    return take_out(lxd, SETTINGS, "bob", snapshot, Silent(), path=path)


def assert_tidy(lxd: FakeLxd) -> None:
    assert COPY not in lxd.store.volumes
    assert "labstamp-copy" not in lxd.store.instances[HERE].devices


@pytest.mark.parametrize("path", ["thesis", THESIS])
def test_it_comes_beside_that_of_today(lxd: FakeLxd, path: str) -> None:
    assert out(lxd, path) == BESIDE
    assert lxd.read_file("bob", BESIDE) == b"years"
    assert lxd.read_file("bob", THESIS) == b""
    assert_tidy(lxd)


def test_nothing_is_overwritten(lxd: FakeLxd) -> None:
    lxd.write_file("bob", BESIDE, b"mine")
    with pytest.raises(InputError) as caught:
        out(lxd)
    assert str(caught.value) == (
        "/home/bob/thesis.restored-good is there already.\n"
        "Next: Rename or remove it in the container, then run the same command again."
    )
    assert lxd.read_file("bob", BESIDE) == b"mine"
    assert_tidy(lxd)


def test_killed_before_any_change_the_next_run_finishes(lxd: FakeLxd) -> None:
    for dead in deaths(lxd, out, least=5, inside=True):
        finished = COPY not in dead.store.volumes and "/bob/thesis.restored-good" in (
            dead.store.contents[HOME].files
        )
        if not finished:
            assert out(dead) == BESIDE
        assert dead.read_file("bob", BESIDE) == b"years"
        assert_tidy(dead)


def test_a_restore_removes_what_a_killed_run_left(lxd: FakeLxd) -> None:
    for dead in deaths(lxd, out, least=4):
        restore(dead, SETTINGS, "bob", "good", Silent(), timeouts=hasty(), probe_ssh=banner)
        assert_tidy(dead)


@pytest.mark.parametrize("path", ["/etc/passwd", "/home", "..", "../../etc", "/home/bob/../x"])
def test_what_is_not_below_home_is_refused(path: str) -> None:
    with pytest.raises(InputError, match="is not a file or a directory below /home"):
        below_home(path, "bob")


def test_what_was_not_there_then_is_said(lxd: FakeLxd) -> None:
    with pytest.raises(InputError, match="/home/bob/draft is not in that snapshot"):
        out(lxd, "draft")
    assert_tidy(lxd)


def test_one_that_is_stopped_or_a_root_alone_is_refused(lxd: FakeLxd) -> None:
    lxd.create_snapshot("bob", "by-lxc")
    with pytest.raises(InputError, match="The snapshot by-lxc of bob has no home"):
        out(lxd, snapshot="by-lxc")
    lxd.stop("bob")
    with pytest.raises(InputError, match="bob is stopped"):
        out(lxd)
    assert_tidy(lxd)


@pytest.mark.parametrize(
    ("missing", "broken", "told"),
    [
        (True, False, "There is no `test` in bob"),
        (False, True, r"thesis could not be copied in bob\.\n  cp: disk\\nquota"),
    ],
)
def test_where_it_cannot_be_copied_nothing_is_left_attached(
    lxd: FakeLxd, *, missing: bool, broken: bool, told: str
) -> None:
    lxd.on_run = Tools(lxd, missing=missing, broken=broken)
    with pytest.raises(LxdError, match=told):
        out(lxd)
    assert_tidy(lxd)


def test_what_is_not_labstamps_is_not_removed(lxd: FakeLxd) -> None:
    lxd.store.volumes[COPY] = {"size": "1GiB"}
    with pytest.raises(LxdError, match="labstamp did not make the volume copy-home-bob"):
        out(lxd)
    assert COPY in lxd.store.volumes
