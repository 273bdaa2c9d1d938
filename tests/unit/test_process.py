"""A process is recognised, and never taken for a later one with its number."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from lab.process import in_words, is_alive, me


def test_this_process_is_alive() -> None:
    assert is_alive(me()) is True


def test_a_dead_process_is_dead() -> None:
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    assert is_alive(f"{socket.gethostname()} {ended.pid} 1") is False


def test_a_later_process_with_the_same_number_is_another() -> None:
    host, pid, started, where = me().split()
    assert is_alive(f"{host} {pid} {int(started) - 1} {where}") is False


def test_a_name_with_brackets_does_not_shift_the_fields(tmp_path: Path) -> None:
    stat = "7 (a) b (c) S " + " ".join(str(number) for number in range(4, 53))
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text(stat)
    assert is_alive(f"{socket.gethostname()} 7 22", proc=tmp_path) is True
    (tmp_path / "7" / "stat").write_text(stat.replace(") S ", ") Z "))
    assert is_alive(f"{socket.gethostname()} 7 22", proc=tmp_path) is False


def test_nobody_can_tell_of_another_host_or_of_nonsense() -> None:
    assert is_alive("elsewhere 1 1") is None
    assert is_alive("") is None
    assert is_alive(f"{socket.gethostname()} x y") is None


def test_in_words() -> None:
    assert in_words("lab1 4711 99") == "process 4711 on lab1"
    assert in_words("") == "an unknown process"
