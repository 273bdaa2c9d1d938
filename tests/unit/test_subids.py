"""Which ids a daemon may give, by the files of its machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.lxd.idmap import IdRange
from lab.lxd.subids import reserved_range, uid_map_of

ALL = "         0          0 4294967295\n"
FALLBACK = IdRange(1_000_000, 1_000_000_000)


def machine(root: Path, users: str, groups: str | None = None) -> Path:
    (root / "etc").mkdir()
    (root / "etc/subuid").write_text(users)
    (root / "etc/subgid").write_text(users if groups is None else groups)
    return root


def test_roots_entries_are_taken_as_lxd_takes_them(tmp_path: Path) -> None:
    text = "ann:100000:65536\nroot:7:10\nroot:500000:1000000\nroot:9000000:1000000\n"
    assert reserved_range(machine(tmp_path, text), ALL) == IdRange(500_000, 1_000_000)


def test_users_and_groups_may_have_different_ranges(tmp_path: Path) -> None:
    root = machine(tmp_path, "root:100000:200000\n", "root:150000:200000\n")
    assert reserved_range(root, ALL) == IdRange(150_000, 150_000)


@pytest.mark.parametrize("users", ["", "lxd:100000:65536\n", "root:x:y\n", "root\n"])
def test_where_nothing_is_reserved_it_is_lxds_own(tmp_path: Path, users: str) -> None:
    assert reserved_range(machine(tmp_path, users), ALL) == FALLBACK


def test_without_the_files(tmp_path: Path) -> None:
    assert reserved_range(tmp_path, ALL) == FALLBACK
    assert reserved_range(tmp_path, "") == FALLBACK


def test_a_daemon_in_a_container_has_what_that_has(tmp_path: Path) -> None:
    assert reserved_range(tmp_path, "0 1000000 1000000000\n") == IdRange(100_000, 999_900_000)
    assert reserved_range(tmp_path, "0 165536 65536\n") is None


def test_the_map_of_a_process() -> None:
    assert uid_map_of(None) == ""
    assert len(uid_map_of(1).split()) % 3 == 0
