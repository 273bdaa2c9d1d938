"""`lxd recover` asks, and is answered; a question that nobody expected ends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import LxdError
from lab.machine.lxd_recover import Pool, answers, command, recover

POOL = Pool(
    name="default",
    driver="btrfs",
    source="/var/lib/lxd/disks/my pool.img",
    config={"size": "20GiB", "btrfs.mount_options": "x"},
)


def program(tmp_path: Path, script: str) -> str:
    path = tmp_path / "lxd"
    path.write_text(f"#!/bin/sh\n{script}")
    path.chmod(0o755)
    return str(path)


def test_each_question_has_its_answer() -> None:
    assert answers((POOL,)) == (
        *("yes", "default", "btrfs", "/var/lib/lxd/disks/my pool.img"),
        *("btrfs.mount_options=x", "size=20GiB", ""),
        *("no", "yes", "yes"),
    )
    assert command((POOL,)) == (
        "printf '%s\\n' yes default btrfs '/var/lib/lxd/disks/my pool.img' "
        "btrfs.mount_options=x size=20GiB '' no yes yes | timeout 1800 lxd recover"
    )


def test_it_gets_the_answers_as_lines(tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    recover((POOL,), program=program(tmp_path, f'test "$1" = recover || exit 9; cat >{heard}'))
    assert tuple(heard.read_text().splitlines()) == answers((POOL,))


def test_what_it_lacks_is_told_and_it_is_not_left_asking(tmp_path: Path) -> None:
    asks = """
echo 'You are currently missing the following:'
echo ' - Network "lxdbr0" in project "default"'
echo ' - Project "lab2"'
while :; do echo 'Please create those missing entries and then hit ENTER: '; done
"""
    with pytest.raises(LxdError) as error:
        recover((POOL,), program=program(tmp_path, asks))
    assert str(error.value) == (
        "`lxd recover` needs what LXD does not have.\n"
        '  Network "lxdbr0" in project "default"\n'
        '  Project "lab2"\n'
        "Next: Make these with lxc, then run the same command again."
    )


def test_a_failure_is_told_in_its_own_words(tmp_path: Path) -> None:
    fails = "echo Scanning; echo 'Error: Failed mounting pool \"default\"' >&2; exit 1"
    with pytest.raises(LxdError) as error:
        recover((POOL,), program=program(tmp_path, fails))
    assert error.value.details == 'Scanning\nError: Failed mounting pool "default"'
    assert command((POOL,)) in (error.value.fix or "")


def test_one_that_ends_before_it_reads_is_told_all_the_same(tmp_path: Path) -> None:
    """More answers than a pipe holds: they cannot be written before it has ended."""
    with pytest.raises(LxdError) as error:
        recover((POOL,) * 5000, program=program(tmp_path, "echo 'Error: not root' >&2; exit 1"))
    assert error.value.details == "Error: not root"
