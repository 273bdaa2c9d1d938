"""A process is recognised, and never taken for a later one with its number."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lab.process import here, in_words, is_alive, me

ROOT = Path(__file__).parents[2]


def test_this_process_is_alive() -> None:
    assert is_alive(me()) is True


def test_a_dead_process_is_dead() -> None:
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    assert is_alive(f"{socket.gethostname()} {ended.pid} 1") is False


def test_a_later_process_with_the_same_number_is_another() -> None:
    host, pid, started, where = me().split()
    assert is_alive(f"{host} {pid} {int(started) - 1} {where}") is False


def _there(pid: int) -> bool:
    return True


def _gone(pid: int) -> bool:
    return False


def test_a_name_with_brackets_does_not_shift_the_fields(tmp_path: Path) -> None:
    stat = "7 (a) b (c) S " + " ".join(str(number) for number in range(4, 53))
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text(stat)
    assert is_alive(f"{socket.gethostname()} 7 22", proc=tmp_path, exists=_there) is True
    (tmp_path / "7" / "stat").write_text(stat.replace(") S ", ") Z "))
    assert is_alive(f"{socket.gethostname()} 7 22", proc=tmp_path, exists=_there) is False


def test_what_is_hidden_is_not_taken_for_dead(tmp_path: Path) -> None:
    """`hidepid=2`: /proc shows nothing of it, the kernel knows it."""
    hidden = f"{socket.gethostname()} 7 22"
    assert is_alive(hidden, proc=tmp_path, exists=_there) is None
    assert is_alive(hidden, proc=tmp_path, exists=_gone) is False


def test_what_had_no_start_to_tell_is_not_taken_for_dead() -> None:
    host, pid, _, where = me().split()
    assert is_alive(f"{host} {pid} 0 {where}") is None


def test_a_mark_of_an_earlier_version_is_understood() -> None:
    assert is_alive(" ".join(me().split()[:3])) is True
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    assert is_alive(f"{socket.gethostname()} {ended.pid} {me().split()[2]}") is False


def test_nobody_can_tell_of_another_namespace_and_every_process_ends_with_its_boot() -> None:
    host, pid, started, where = me().split()
    machine, boot, namespace = where.split(":")
    told = {
        place: is_alive(f"{host} {pid} {started} {place}")
        for place in (
            where,
            f"{machine}:{boot}:1",
            f"{machine}:{boot}:-",
            f"{machine}:0123456789ab:{namespace}",
            f"0123456789ab:{boot}:{namespace}",
            "nonsense",
        )
    }
    assert list(told.values()) == [True, None, None, False, None, None]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a pid namespace")
def test_a_process_of_another_pid_namespace_names_itself_so() -> None:
    """From there, this one cannot be told; and the other way round."""
    code = (
        "import sys; from lab.process import is_alive, me; "
        "print(me()); print(is_alive(me()), is_alive(sys.argv[1]))"
    )
    argv = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", code, me()]
    said = subprocess.run(argv, check=True, capture_output=True, text=True, cwd=ROOT)
    theirs, told = said.stdout.splitlines()
    assert told == "True None"
    assert theirs.split()[3] != here()
    assert is_alive(theirs) is None


def test_nobody_can_tell_of_another_host_or_of_nonsense() -> None:
    assert is_alive("elsewhere 1 1") is None
    assert is_alive("") is None
    for words in ("x y", "0 1", "-1 1", "9999999999 1", "1 1 a:b:c more"):
        assert is_alive(f"{socket.gethostname()} {words}") is None


def test_in_words() -> None:
    assert in_words("lab1 4711 99") == "process 4711 on lab1"
    assert in_words("") == "an unknown process"
