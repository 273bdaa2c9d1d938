"""The directory in which locks lie: made once, put right, and nobody else's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.errors import InputError
from lab.machine import lock_directory
from lab.machine.lock_directory import find, have, have_place

ME = os.geteuid()
GROUP = os.getegid()


def modes(*paths: Path) -> list[int]:
    return [path.stat().st_mode & 0o7777 for path in paths]


def test_it_is_made_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        place = have(tmp_path / "labstamp/locks", "var-lib-lxd", owner=ME, group=GROUP)
    finally:
        os.umask(before)
    expected = 0o2770 if GROUP else 0o700
    assert modes(place.parent.parent, place.parent, place) == [0o755, 0o755, expected]


def test_it_is_put_right(tmp_path: Path) -> None:
    base = tmp_path / "labstamp/locks"
    place = have(base, "lxd", owner=ME, group=None)
    for path in (base.parent, base, place):
        path.chmod(0o777)
    assert have(base, "lxd", owner=ME, group=None) == place
    assert modes(base.parent, base, place) == [0o755, 0o755, 0o700]


@pytest.mark.parametrize("part", ["labstamp", "labstamp/locks", "labstamp/locks/lxd"])
def test_a_link_in_its_place_is_refused(tmp_path: Path, part: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o750)
    path = tmp_path / part
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(elsewhere)
    with pytest.raises(InputError) as error:
        have(tmp_path / "labstamp/locks", "lxd", owner=ME, group=None)
    assert str(error.value) == (
        f"{path} is not a directory of labstamp; labstamp needs it for its locks.\n"
        f"Next: Check what it is, move it away, and run this again: mv {path} {path}.old"
    )
    assert modes(elsewhere) == [0o750]
    assert list(elsewhere.iterdir()) == []


def test_another_s_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"belongs to uid {ME}; labstamp needs it for its locks"):
        have(tmp_path / "labstamp/locks", "lxd", owner=ME + 1, group=None)


def test_each_lxd_has_one_however_it_is_spelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_directory, "PLACE", tmp_path / "labstamp/locks")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: ME or 12345)
    monkeypatch.setattr(lock_directory, "find", lambda base, name: base / name)
    (tmp_path / "lxd").mkdir()
    (tmp_path / "link").symlink_to("lxd")
    found = set()
    for spelling in ("lxd", "link/", "x/../lxd"):
        monkeypatch.setenv("LXD_DIR", f"{tmp_path}/{spelling}")
        found.add(have_place().name)
    assert found == {f"{tmp_path}/lxd".strip("/").replace("/", "-")}


def test_another_machine_s_lxd_needs_nothing_of_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_directory, "PLACE", tmp_path / "var/locks")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    base = "var" if ME == 0 else "cache/labstamp"
    place = have_place("https://lab1.example:8443")
    assert place == tmp_path / base / "locks/https-lab1.example:8443"
    assert modes(place) == [0o700]


def test_one_of_the_group_is_told_who_makes_it(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        find(tmp_path / "locks", "lxd")
    assert str(error.value) == (
        f"There is no directory for locks, {tmp_path}/locks/lxd.\n"
        "  Root makes it once; the group of LXD's socket may use it.\n"
        "Next: sudo .venv/bin/invoke host.setup"
    )


@pytest.mark.parametrize("mode", [0o777, 0o2777])
def test_one_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    place = tmp_path / "locks/lxd"
    place.mkdir(parents=True)
    place.chmod(mode)
    with pytest.raises(InputError, match="has a wrong owner or wrong permissions"):
        find(tmp_path / "locks", "lxd")
