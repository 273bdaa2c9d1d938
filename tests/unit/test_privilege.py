"""Limits that the daemon itself may not raise are left out: the instance would not start."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.lxd.privilege import asks_for_limits, may_raise_limits, without_limits

ALL = "000001ffffffffff"
WITHOUT_SYS_RESOURCE = "000001fffeffffff"
MACHINE = "         0          0 4294967295\n"
NESTED = "         0    1000000      65536\n"


@pytest.mark.parametrize(
    ("held", "ids", "may"),
    [(ALL, MACHINE, True), (WITHOUT_SYS_RESOURCE, MACHINE, False), (ALL, NESTED, False)],
)
def test_it_takes_a_capability_on_the_machine_itself(
    *, tmp_path: Path, held: str, ids: str, may: bool
) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7/status").write_text(f"Name:\tlxd\nCapPrm:\t{held}\nCapEff:\t{held}\n")
    (tmp_path / "7/uid_map").write_text(ids)
    assert may_raise_limits(7, tmp_path) is may


@pytest.mark.parametrize("pid", [None, 9])
def test_where_nobody_tells_it_is_tried(tmp_path: Path, pid: int | None) -> None:
    assert may_raise_limits(pid, tmp_path)


def test_only_limits_of_the_kernel_are_left_out() -> None:
    config = {"limits.kernel.memlock": "unlimited", "limits.memory": "1GiB"}
    assert asks_for_limits(config)
    assert without_limits(config) == {"limits.memory": "1GiB"}
    assert not asks_for_limits({"limits.memory": "1GiB"})
