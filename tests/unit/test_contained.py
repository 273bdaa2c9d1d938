"""What the host's /proc tells of a container, from files as the kernel writes them."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.errors import TooMuch
from lab.lxd import fork_file
from lab.lxd.fork_file import end_file_server
from lab.lxd.recording_file import is_written
from lab.machine.container_processes import device_nodes, is_contained, listens
from lab.machine.kill import kill_if

MOUNTS = """\
5349 1009 0:123 /containers/alice/rootfs / rw,relatime shared:71 - btrfs /dev/loop3 rw
5353 5350 0:6 /fuse /dev/fuse rw,relatime shared:2794 - devtmpfs devtmpfs rw,mode=755
5354 5350 0:6 /nvidia-uvm /dev/nvidia-uvm rw,relatime - devtmpfs devtmpfs rw,mode=755
5355 5350 0:6 /x /srv/odd\\040name\x1b[2J rw - tmpfs tmpfs rw
broken
"""
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 3500007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000 100997        0 71618
   1: 00000000:0016 0100007F:9999 01 00000000:00000000 00:00000000 00000000 100000        0 71628
"""


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """Process 4711, the first of a container."""
    (tmp_path / "4711" / "net").mkdir(parents=True)
    return tmp_path


def write(proc: Path, name: str, text: str) -> None:
    (proc / "4711" / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("status", "contained"),
    [
        ("Name:\tsystemd\nNSpid:\t4711\t1\n", True),
        ("Name:\tsystemd\nNSpid:\t4711\n", False),
        ("Name:\tsystemd\n", False),
    ],
)
def test_only_what_runs_in_a_namespace_below_is_contained(
    proc: Path, status: str, *, contained: bool
) -> None:
    write(proc, "status", status)
    assert is_contained(4711, proc=proc) is contained


@pytest.mark.parametrize("pid", [0, -1, 4712])
def test_who_is_not_there_is_not_contained(proc: Path, pid: int) -> None:
    assert not is_contained(pid, proc=proc)


def test_nodes_are_told_by_the_mounts(proc: Path) -> None:
    write(proc, "mountinfo", MOUNTS)
    assert device_nodes(4711, proc=proc) == {"fuse", "nvidia-uvm"}
    assert device_nodes(4712, proc=proc) == frozenset()


def test_a_port_counts_where_somebody_listens(proc: Path) -> None:
    write(proc, "net/tcp", TCP)
    assert listens(4711, 53, proc=proc)
    assert not listens(4711, 22, proc=proc)
    write(proc, "net/tcp6", TCP.replace("0016 0100007F:9999 01", "0016 0100007F:9999 0A"))
    assert listens(4711, 22, proc=proc)


def test_what_a_user_makes_endless_is_given_up(proc: Path) -> None:
    write(proc, "mountinfo", MOUNTS * 20_000)
    with pytest.raises(TooMuch):
        device_nodes(4711, proc=proc)


def test_a_recording_that_is_still_written_to_is_known(tmp_path: Path) -> None:
    (tmp_path / "alice").mkdir()
    file = tmp_path / "alice" / "exec_0a1b.stdout"
    with file.open("w"):
        assert is_written("alice", "0a1b", logs=[tmp_path])
        assert not is_written("alice", "0a1c", logs=[tmp_path])
        assert not is_written("ben", "0a1b", logs=[tmp_path])
    assert not is_written("alice", "0a1b", logs=[tmp_path])
    with file.open():
        assert not is_written("alice", "0a1b", logs=[tmp_path])


def test_looking_at_a_recording_leaves_no_lease(tmp_path: Path) -> None:
    (tmp_path / "alice").mkdir()
    file = tmp_path / "alice" / "exec_0a1b.stderr"
    file.touch()
    assert not is_written("alice", "0a1b", logs=[tmp_path])
    with file.open("r+") as opened:
        assert fcntl.fcntl(opened, fcntl.F_GETLEASE) == fcntl.F_UNLCK


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    pids: list[int] = []

    def kill(pid: int, still: Callable[[], bool]) -> None:
        assert still()
        pids.append(pid)

    monkeypatch.setattr(fork_file, "kill_if", kill)
    return pids


def serve(proc: Path, pid: int, argv: str, root: str) -> None:
    (proc / str(pid) / "fd").mkdir(parents=True)
    (proc / str(pid) / "cmdline").write_bytes(argv.replace(" ", "\0").encode())
    (proc / str(pid) / "fd" / "4").symlink_to(root)
    (proc / str(pid) / "fd" / "5").symlink_to("socket:[1]")


def test_the_process_that_serves_an_instance_is_ended_and_no_other(
    proc: Path, killed: list[int]
) -> None:
    pool = "/var/lib/lxd/storage-pools/default/containers"
    serve(proc, 11, "/usr/bin/lxd forkfile -- 3 4 5 99", f"{pool}/lab_alice/rootfs")
    serve(proc, 12, "/usr/bin/lxd forkfile -- 3 4 5 98", f"{pool}/alice/rootfs")
    serve(proc, 13, "/usr/bin/lxd forkfile -- 3 4 5 97", f"{pool}/ben/rootfs")
    serve(proc, 14, "/usr/bin/lxd forkexec alice", f"{pool}/alice/rootfs")
    serve(proc, 15, "/usr/bin/lxd forkfile -- 3 4 5 96", f"{pool}/alice/rootfs")
    for task, children in (("4711", "11 13 14 16 "), ("4712", "12")):
        (proc / "4711" / "task" / task).mkdir(parents=True)
        (proc / "4711" / "task" / task / "children").write_text(children)
    assert end_file_server(4711, "alice", proc=proc)
    assert killed == [12]
    assert not end_file_server(4711, "cat", proc=proc)
    assert not end_file_server(None, "alice", proc=proc)
    assert killed == [12]


def test_who_may_not_end_it_is_told(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pid: int, _still: Callable[[], bool]) -> None:
        raise PermissionError

    monkeypatch.setattr(fork_file, "kill_if", refuse)
    serve(proc, 11, "/usr/bin/lxd forkfile -- 3 4 -1 -1", "/x/containers/alice/rootfs")
    (proc / "4711" / "task" / "1").mkdir(parents=True)
    (proc / "4711" / "task" / "1" / "children").write_text("11")
    assert not end_file_server(4711, "alice", proc=proc)


def test_only_who_is_still_the_one_is_killed() -> None:
    with subprocess.Popen(["sleep", "600"]) as process:
        kill_if(process.pid, lambda: False)
        assert process.poll() is None
        kill_if(process.pid, lambda: True)
        assert process.wait(10) == -9
    kill_if(process.pid, lambda: True)
