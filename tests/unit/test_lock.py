"""Two runs on one host wait for one another, and say for whom."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lab.errors import Conflict
from lab.lock import held
from lab.report import Silent


class Heard(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


HOLDER = """
import sys
from pathlib import Path
from lab.lock import held
from lab.report import Silent
with held("bob", Silent(), "provision bob", directory=Path(sys.argv[1])):
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
        with held("bob", Silent(), "x", directory=tmp_path):
            pass


def test_who_waits_is_told_for_whom(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    heard = Heard()
    with (
        pytest.raises(Conflict) as error,
        held("bob", heard, "x", patience=0.3, directory=tmp_path),
    ):
        pass
    holder.communicate()
    assert len(heard.said) == 1
    assert heard.said[0].startswith(f'Waiting for "provision bob" (process {holder.pid} on ')
    assert str(error.value).startswith("Waited 0 s for ")
    assert str(error.value).endswith("in vain.\nNext: Try again when it has ended.")


def test_locks_of_other_names_are_free(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    with held("alice", Silent(), "x", patience=0, directory=tmp_path):
        pass
    holder.communicate()


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    holder.kill()
    holder.communicate()
    heard = Heard()
    with held("bob", heard, "x", patience=0, directory=tmp_path):
        assert heard.said == []


def test_any_name_makes_a_file_in_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LXD_DIR", "/nonexistent/my-lxd")
    with held("a/../b c", Silent(), "x", directory=tmp_path):
        names = {path.name for path in tmp_path.iterdir()}
    file = "labstamp-a_.._b_c@nonexistent-my-lxd"
    assert names == {f"{file}.lock", f"{file}.holder"}


def test_another_lxd_of_this_host_has_locks_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LXD_DIR", str(tmp_path / "one"))
    holder = hold(tmp_path)
    monkeypatch.setenv("LXD_DIR", str(tmp_path / "two"))
    heard = Heard()
    with held("bob", heard, "x", patience=0, directory=tmp_path):
        assert heard.said == []
    holder.communicate()


def test_one_lxd_has_one_lock_however_it_is_spelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lxd").mkdir()
    (tmp_path / "link").symlink_to("lxd")
    monkeypatch.setenv("LXD_DIR", str(tmp_path / "lxd"))
    holder = hold(tmp_path)
    for spelling in (f"{tmp_path}/link/", f"{tmp_path}//x/../lxd"):
        monkeypatch.setenv("LXD_DIR", spelling)
        with (
            pytest.raises(Conflict),
            held("bob", Silent(), "x", patience=0.1, directory=tmp_path),
        ):
            pass
    holder.communicate()
