"""Two runs on one host wait for one another, and say for whom."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.errors import Conflict, InputError
from lab.machine.lock import hold_lock
from lab.report import Silent


class Heard(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


HOLDER = """
import sys
from pathlib import Path
from lab.machine.lock import hold_lock
from lab.report import Silent
with hold_lock("bob", Silent(), "provision bob", remote="local", directory=Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(directory: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_a_lock_is_given_back(tmp_path: Path) -> None:
    for _ in range(2):
        with hold_lock("bob", Silent(), "x", remote="local", directory=tmp_path):
            pass


def test_who_waits_is_told_for_whom(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    heard = Heard()
    with (
        pytest.raises(Conflict) as error,
        hold_lock("bob", heard, "x", timeout=0.3, remote="local", directory=tmp_path),
    ):
        pass
    holder.communicate()
    assert len(heard.said) == 1
    assert heard.said[0].startswith(f'Waiting for "provision bob" (process {holder.pid} on ')
    assert str(error.value).startswith("Timed out after 0 s waiting for ")
    assert str(error.value).endswith(
        ".\nNext: Wait until that process ends, then try again. Show it: fuser -v "
        f"{tmp_path}/bob.lock"
    )


def test_locks_of_other_names_are_free(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    with hold_lock("alice", Silent(), "x", timeout=0, remote="local", directory=tmp_path):
        pass
    holder.communicate()


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    holder.kill()
    holder.communicate()
    heard = Heard()
    with hold_lock("bob", heard, "x", timeout=0, remote="local", directory=tmp_path):
        assert heard.said == []


def test_any_name_makes_a_file_in_the_directory_and_takes_it_away(tmp_path: Path) -> None:
    with hold_lock("a/../b c", Silent(), "x", remote="local", directory=tmp_path):
        (file,) = tmp_path.iterdir()
        assert file.name == "a_.._b_c.lock"
        assert file.stat().st_mode & 0o777 == 0o660
    assert list(tmp_path.iterdir()) == []


def test_who_waits_gets_what_is_given_back(tmp_path: Path) -> None:
    """The file that was waited for is gone by then."""
    holder = hold(tmp_path)

    class Releasing(Heard):
        def say(self, text: str) -> None:
            super().say(text)
            holder.communicate()

    heard = Releasing()
    with hold_lock("bob", heard, "x", timeout=60, remote="local", directory=tmp_path):
        assert len(heard.said) == 1
        assert "\nx\n" in (tmp_path / "bob.lock").read_text()


def link(path: Path) -> None:
    path.symlink_to(path.parent / "precious")


def second_name(path: Path) -> None:
    path.hardlink_to(path.parent / "precious")


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (Path.mkdir, "a directory"),
        (os.mkfifo, "a named pipe"),
        (link, "a symbolic link"),
        (second_name, "a file with a second name (a hard link)"),
        (lambda path: socket.socket(socket.AF_UNIX).bind(str(path)), "a socket"),
    ],
)
def test_what_is_no_lock_is_told_and_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], object], kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    precious = tmp_path / "precious"
    precious.write_text("thesis")
    path = tmp_path / "bob.lock"
    make(path)
    with (
        pytest.raises(InputError) as error,
        hold_lock("bob", Silent(), "x", remote="local", directory=tmp_path),
    ):
        pass
    assert str(error.value) == (
        f"The lock {path} is {kind}, which labstamp did not make.\n"
        f"Next: Check what it is, and remove it as root: rm -r {path}"
    )
    assert precious.read_text() == "thesis"
    assert os.path.lexists(path)


def test_a_lock_held_by_a_stranger_is_no_wait_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "bob.lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with (
            pytest.raises(Conflict, match="waiting for another labstamp process") as error,
            hold_lock("bob", Silent(), "x", timeout=0.1, remote="local", directory=tmp_path),
        ):
            pass
    assert f"fuser -v {path}" in str(error.value)


def test_what_this_process_holds_itself_is_not_told(tmp_path: Path) -> None:
    heard = Heard()
    with (
        hold_lock("bob", Silent(), "x", remote="local", directory=tmp_path),
        pytest.raises(Conflict),
        hold_lock("bob", heard, "y", timeout=0.3, remote="local", directory=tmp_path),
    ):
        pass
    assert heard.said == []
