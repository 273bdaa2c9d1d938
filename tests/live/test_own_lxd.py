"""The LXDs of ci/test: whose place it is, what a killed run leaves, and one that dies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live_lab.gpu_host import GPUS, VERSION
from tests.support.live_lab.lab import ROOT
from tests.support.live_lab.own_lxd import PLACE, directory, run_sandbox

pytestmark = pytest.mark.plain

# As ci/test begins, without its packages and gates. Its name is how a run is known to be one.
PREAMBLE = """
set -euo pipefail
. ci/lib.sh; . ci/machine.sh; . ci/own-lxd.sh
step_note=$(mktemp) log=/dev/null
trap 'rm -f "$step_note"' EXIT
"""
TAKE = f"{PREAMBLE}take_place; clear_leftovers; cat $step_note; echo\n"
START = 'LXD_DIR=$place/lxd "$root/ci/sandbox" start\n'


def script(text: str, place: Path) -> subprocess.Popen[str]:
    environ = {key: value for key, value in os.environ.items() if key != "LXD_DIR"}
    return subprocess.Popen(
        ["bash", "-c", text, "ci/test"],
        cwd=ROOT,
        env={**environ, PLACE: str(place)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def said(text: str, place: Path, *, code: int = 0) -> str:
    process = script(text, place)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == code, out
    return out


def until(line: str, process: subprocess.Popen[str]) -> None:
    heard = []
    for one in process.stdout or ():
        heard.append(one)
        if one.startswith(line):
            return
    raise AssertionError("".join(heard))


@pytest.fixture
def place() -> Iterator[Path]:
    place = directory("own")
    yield place
    for one in ("lxd", "other"):
        if (place / one / "database").is_dir():
            run_sandbox(place / one, "stop")
    shutil.rmtree(place, ignore_errors=True)


def processes_of(place: Path) -> list[str]:
    """Whatever was started for an LXD in PLACE; lxcfs is everybody's."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            mine = f"LXD_DIR={place}" in environ.read_bytes().decode(errors="replace")
            name = (environ.parent / "comm").read_text().strip()
        except OSError:
            continue
        if mine and name != "lxcfs":
            found.append(f"{environ.parent.name} {name}")
    return found


def test_what_a_killed_run_left_is_cleared_by_the_next(place: Path) -> None:
    work = "LXD_DIR=$place/lxd sleep 600 & echo at work; wait\n"
    killed = script(TAKE + START + work, place)
    until("at work", killed)
    (place / "lxd" / "of-the-killed-run").touch()
    killed.kill()
    killed.wait()
    assert len(processes_of(place)) >= 2
    out = said(TAKE, place)
    assert "Ending what a killed ci/test left at work: process " in out
    assert f"what a killed run left in {place}" in out
    assert processes_of(place) == []
    assert sorted(one.name for one in place.iterdir()) == [".made-by-ci-test"]
    assert "nothing left by an earlier run" in said(TAKE, place)
    said(f"{TAKE}leave_place", place)
    assert not place.exists()


def test_a_run_that_is_at_work_is_left_at_work(place: Path) -> None:
    first = script(f"{TAKE}echo at work; read -r", place)
    until("at work", first)
    assert said(TAKE, place, code=4).splitlines() == [
        f"Another ci/test works in {place}: process {first.pid}.",
        "Next: wait for its end, or have a place of its own: "
        "TEST_LXD_DIR=/another/directory ci/test",
    ]
    first.communicate("\n")
    assert first.returncode == 0
    said(TAKE, place)


def test_a_directory_of_somebody_else_is_refused_as_it_is(place: Path) -> None:
    place.mkdir()
    (place / "thesis.tex").write_text("years of work")
    assert said(TAKE, place, code=2).splitlines()[0] == (
        f"{place} is not the tests' own: it holds what they did not make."
    )
    assert (place / "thesis.tex").read_text() == "years of work"


def test_too_little_room_is_told_with_the_way_out(place: Path) -> None:
    out = said(f"{TAKE}room_gib=99999999; insist_on_room", place, code=3)
    assert f"The tests need 99999999 GiB in {place}; " in out
    assert "TEST_LXD_DIR=/directory/on/another/disk ci/test" in out


@pytest.mark.parametrize("found", ["/snap/bin/lxd", ""])
def test_a_machine_that_has_only_a_snap_is_told_what_works_there(place: Path, found: str) -> None:
    text = f"{PREAMBLE}distribution=ubuntu; type() {{ echo {found}; }}; insist_on_a_daemon"
    assert said(text, place, code=2).splitlines() == [
        "The tests run LXDs of their own beside the server's, and LXD as a snap has only one.",
        "Next: ci/test --quick (all that needs no LXD), or all of it on Debian 12 or 13: "
        "a virtual machine will do",
    ]


CONFTEST = """
from tests.support.lxd_watch import watch_lxd

def pytest_configure(config):
    watch_lxd(config)
"""

THROWAWAY = """
import os, pathlib, signal, time
import pytest
from tests.support.live_lab.gpu_host import _daemon
from tests.support.live_lab.lab import lxc

TRIED = pathlib.Path(__file__).with_name("tried")

def kill(sign):
    os.kill(_daemon(None), sign)
    time.sleep(0.5)

@pytest.fixture(scope="module")
def project():
    lxc("project", "create", "throwaway")
    yield "throwaway"
    lxc("project", "delete", "throwaway")

def test_dies_of_its_own(project):
    if not TRIED.exists():
        TRIED.touch()
        kill(signal.SIGABRT)
    lxc("project", "show", project)

def test_goes_on(project):
    lxc("project", "show", project)

def test_fails_of_its_own():
    raise ValueError("not LXD's fault")

def test_dies_again():
    kill(signal.SIGKILL)
    lxc("project", "list")

def test_is_never_begun():
    pass
"""


def test_an_lxd_that_dies_in_mid_run(place: Path, tmp_path: Path) -> None:
    (place / "lxd").mkdir(parents=True)
    run_sandbox(place / "lxd", "start", "--gpus", str(len(GPUS)), "--driver", VERSION)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_throwaway.py").write_text(THROWAWAY)
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rf", str(tmp_path)],
        cwd=tmp_path,
        env={
            **os.environ,
            PLACE: str(place),
            "LXD_DIR": str(place / "lxd"),
            "PYTHONPATH": str(ROOT),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = ended.stdout.splitlines()
    assert ended.returncode == 1, ended.stdout
    assert [line for line in lines if line.startswith("LXD died in ")] == [
        "LXD died in test_throwaway.py::test_dies_of_its_own: SIGABRT: abort (in lxd). "
        "It was started again, and the test run once more: passed.",
        "LXD died in test_throwaway.py::test_dies_again: nothing answers at its socket.",
    ]
    assert "LXD died a second time" in ended.stdout
    assert [line.split(" - ")[0] for line in lines if line.startswith("FAILED ")] == [
        "FAILED test_throwaway.py::test_fails_of_its_own",
        "FAILED test_throwaway.py::test_dies_again",
    ]
    # The error is the fixture of the second go, which finds no LXD.
    assert "2 failed, 2 passed, 1 error, 1 rerun in" in lines[-1]
