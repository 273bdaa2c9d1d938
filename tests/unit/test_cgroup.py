"""The memory of a container in the kernel's own files, of either layout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from lab.machine.cgroup import Memory, leave_only_limit, read_memory

GIB = 1 << 30
# As a kernel 6.18 with cgroup v1 showed them.
V1 = {
    "proc/7/cgroup": "9:memory:/lxc.payload.bob/init.scope\n0::/lxc.payload.bob/init.scope\n",
    "sys/memory/lxc.payload.bob/memory.limit_in_bytes": "1073741824\n",
    "sys/memory/lxc.payload.bob/memory.memsw.limit_in_bytes": "1073741824\n",
    "sys/memory/lxc.payload.bob/memory.usage_in_bytes": "8192\n",
    "sys/memory/lxc.payload.bob/memory.stat": "rss 1\ntotal_rss 4096\ntotal_shmem 100\n",
}
# As the kernel's cgroup-v2.rst describes them, and LXD 5.0.2 writes them for a limit of 1GiB.
PAYLOAD = "sys/lxc.payload.lab_bob"
V2 = {
    "proc/7/cgroup": "0::/lxc.payload.lab_bob/init.scope\n",
    f"{PAYLOAD}/memory.max": "1073741824\n",
    f"{PAYLOAD}/memory.current": "8192\n",
    f"{PAYLOAD}/memory.low": "966365184\n",
    f"{PAYLOAD}/memory.high": "max\n",
    f"{PAYLOAD}/memory.swap.max": "0\n",
    f"{PAYLOAD}/memory.stat": "anon 4096\nshmem 100\nfile 99999\n",
}


def written(directory: Path, files: Mapping[str, str]) -> Memory | None:
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return read_memory(7, proc=directory / "proc", mount=directory / "sys")


def test_v1(tmp_path: Path) -> None:
    found = written(tmp_path, V1)
    assert found == Memory(used=8192, held=4196, limit=GIB, swap=0)
    assert not found.has_more_than_limit


def test_v1_without_a_limit_and_without_counting_swap(tmp_path: Path) -> None:
    limit = "sys/memory/lxc.payload.bob/memory.limit_in_bytes"
    files = {**V1, limit: "9223372036854771712\n"}
    del files["sys/memory/lxc.payload.bob/memory.memsw.limit_in_bytes"]
    assert written(tmp_path, files) == Memory(used=8192, held=4196)


def test_v2_as_lxd_5_0_2_limits_it(tmp_path: Path) -> None:
    found = written(tmp_path, V2)
    assert found == Memory(
        used=8192, held=4196, limit=GIB, swap=0, protected=966365184, place=tmp_path / PAYLOAD
    )
    assert found.has_more_than_limit


@pytest.mark.parametrize(
    ("files", "more"),
    [
        # 5.0.3: it hangs at nine tenths.
        ({"memory.low": "0\n", "memory.high": "966365184\n", "memory.swap.max": "max\n"}, True),
        # 5.0.4, 5.21.1 and later.
        ({"memory.low": "0\n", "memory.high": "max\n"}, False),
        # limits.memory.enforce: soft.
        ({"memory.max": "max\n", "memory.low": "966365184\n"}, False),
        ({"memory.low": "max\n"}, True),
    ],
)
def test_what_other_versions_write(tmp_path: Path, files: dict[str, str], *, more: bool) -> None:
    found = written(tmp_path, {**V2, **{f"{PAYLOAD}/{key}": files[key] for key in files}})
    assert found is not None
    assert found.has_more_than_limit is more


def test_only_the_limit_is_left(tmp_path: Path) -> None:
    found = written(tmp_path, V2)
    assert found is not None
    leave_only_limit(found)
    after = read_memory(7, proc=tmp_path / "proc", mount=tmp_path / "sys")
    assert after == Memory(used=8192, held=4196, limit=GIB, swap=0, place=tmp_path / PAYLOAD)
    assert not after.has_more_than_limit


def test_who_may_not_change_it_leaves_it(tmp_path: Path) -> None:
    leave_only_limit(Memory(limit=GIB, protected=1, place=tmp_path / "missing"))
    leave_only_limit(Memory(limit=GIB))
    assert not (tmp_path / "missing").exists()


def test_what_is_not_there_is_not_known(tmp_path: Path) -> None:
    assert read_memory(8, proc=tmp_path, mount=tmp_path) is None
    files = {**V2, "proc/7/cgroup": "0::/user.slice\n"}
    assert written(tmp_path, files) is None
