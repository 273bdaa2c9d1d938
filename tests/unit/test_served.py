"""Commands of live tests are forked from one process; each is as if it had been started anew."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.live_lab.lab import ROOT
from tests.support.live_lab.served import acts_at_start, served


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return served((), ROOT, arguments, {**os.environ, **environ}, timeout=60)


def test_each_has_arguments_and_output_of_its_own() -> None:
    told = run("--version")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("Invoke ")
    wrong = run("provison", "bob")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "provision" in wrong.stderr


def test_each_has_an_environment_of_its_own(tmp_path: Path) -> None:
    def settings(file: Path) -> Mapping[str, object]:
        file.write_text("pool: fast\n")
        told = run("settings", LAB_SETTINGS=str(file))
        assert told.returncode == 0, told.stderr
        return {"file": str(file) in told.stdout}

    assert settings(tmp_path / "one.yaml") == {"file": True}
    assert settings(tmp_path / "two.yaml") == {"file": True}
    assert str(tmp_path) not in run("settings").stdout


def test_what_is_to_die_runs_once_where_it_makes_no_change(tmp_path: Path) -> None:
    environ = {**os.environ, "LAB_SETTINGS": str(tmp_path / "none.yaml")}
    once = served((), ROOT, ("settings",), environ, timeout=60)
    dying = served((), ROOT, ("settings",), environ, timeout=60, dies_after=0)
    assert (dying.returncode, dying.stdout) == (once.returncode, once.stdout)


@pytest.mark.parametrize("name", ["LD_PRELOAD", "PYTHONHASHSEED", "LC_ALL", "LANG"])
def test_what_is_read_at_the_start_of_a_process_needs_a_new_one(name: str) -> None:
    assert acts_at_start({**os.environ, name: "other"})
    assert not acts_at_start({**os.environ, "LXD_DIR": "/other", "NO_COLOR": "1"})


def test_what_takes_too_long_is_ended() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        served((), ROOT, ("provision", "--help"), os.environ, timeout=0.001)
    assert run("--version").returncode == 0
