"""Which pools' quotas are counted, and that counting is kept up."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.machine.quotas import counted_pools, guard_quotas
from lab.report import Silent


class Tape(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pool on loop7 with quotas on, and a btrfs of somebody else's."""
    monkeypatch.setenv("LXD_DIR", "/srv/lxd")
    for uuid, device in (("aaaa", "loop7"), ("bbbb", "sdb1")):
        (tmp_path / "sys" / uuid / "devices" / device).mkdir(parents=True)
        qgroups = tmp_path / "sys" / uuid / "qgroups"
        qgroups.mkdir()
        (qgroups / "enabled").write_text("1\n")
        (qgroups / "inconsistent").write_text("0\n")
        (qgroups / "drop_subtree_threshold").write_text("3\n")
    (tmp_path / "mounts").write_text(
        "/dev/loop7 /srv/lxd/storage-pools/default btrfs rw 0 0\n"
        "/dev/sdb1 /home btrfs rw 0 0\n"
        "/dev/sda1 / ext4 rw 0 0\n"
    )
    return tmp_path


def _guard(machine: Path) -> list[str]:
    tape = Tape()
    guard_quotas(tape, sysfs=machine / "sys", mounts=machine / "mounts")
    return tape.said


def test_only_pools_of_lxd_are_looked_at(machine: Path) -> None:
    found = counted_pools(Path("/srv/lxd"), sysfs=machine / "sys", mounts=machine / "mounts")
    assert [pool.mounted for pool in found] == [Path("/srv/lxd/storage-pools/default")]


def test_the_kernel_is_told_never_to_stop_counting(machine: Path) -> None:
    assert _guard(machine) == []
    sys = machine / "sys"
    assert (sys / "aaaa/qgroups/drop_subtree_threshold").read_text() == "8"
    assert (sys / "bbbb/qgroups/drop_subtree_threshold").read_text() == "3\n"


def test_a_pool_that_cannot_be_counted_anew_is_told_of(machine: Path) -> None:
    # There is no such mount, so the rescan fails as it does for an account without the right.
    (machine / "sys/aaaa/qgroups/inconsistent").write_text("1\n")
    assert _guard(machine) == [
        "Disk quotas in /srv/lxd/storage-pools/default are not enforced at the moment: the "
        "kernel stopped counting. Fix: sudo btrfs quota rescan "
        "/srv/lxd/storage-pools/default"
    ]
