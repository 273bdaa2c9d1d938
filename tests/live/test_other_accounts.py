"""What another account of the server can do to root, with a real one that has no rights."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.machine.local_daemon import SOCKET, lxd_directory
from lab.machine.lock import hold_lock
from lab.machine.lock_directory import have_place
from lab.report import Silent
from tests.support.live_lab.lab import ROOT, Lab

pytestmark = pytest.mark.plain

NOBODY = 65534
NONE = "lt-none"
"""No container: `invoke stop` takes its lock, and then says so."""
NO_CONTAINER = f'error: There is no container "{NONE}".'


@pytest.fixture
def settings() -> Iterator[Path]:
    """Where other accounts get at, unlike pytest's own directories."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        path = Path(directory) / "lab.yaml"
        path.write_text("timezone: UTC\n")
        yield path


def as_nobody(work: Callable[[], object], *, group: int = NOBODY) -> str:
    """What WORK said when NOBODY did it, as one of GROUP."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        said = "done"
        try:
            os.setgroups([])
            os.setgid(group)
            os.setuid(NOBODY)
            work()
        except (LabError, OSError) as error:
            said = str(error)
        finally:
            os.write(write, said.encode())
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as file:
        said = file.read()
    os.waitpid(child, 0)
    return said


def take_lock() -> None:
    with hold_lock(f"container-default-{NONE}", Silent(), "stop", remote="local", timeout=0.5):
        pass


def test_locks_are_where_nobody_else_makes_files(settings: Path) -> None:
    group = (lxd_directory() / SOCKET).stat().st_gid
    place = have_place()
    # Not made anew: other tests hold locks in it.
    os.chown(place, 0, 0)
    place.chmod(0o777)
    precious = settings.with_name("precious")
    precious.write_text("thesis")
    # As a version before would have written to it.
    old = Path("/run/lock") / f"labstamp-container-default-{NONE}.holder"
    as_nobody(lambda: old.symlink_to(precious))
    try:
        answer = Lab(settings=settings).invoke("stop", NONE)
    finally:
        old.unlink(missing_ok=True)
    assert (answer.code, answer.err.splitlines()[0]) == (
        2,
        f'error: There is no container "{NONE}".',
    )
    assert precious.read_text() == "thesis"
    found = place.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (0, group, 0o2770)
    assert not (place / f"container-default-{NONE}.lock").exists()
    # Those whom the daemon lets in, and no others.
    assert as_nobody(take_lock, group=group) == "done"
    assert "has a wrong owner or wrong permissions" in as_nobody(take_lock)
    planted = place / f"container-default-{NONE}.lock"
    assert "Permission denied" in as_nobody(lambda: os.mkfifo(planted))


def test_what_lies_in_a_lock_s_place_is_told_and_not_waited_for(settings: Path) -> None:
    planted = have_place() / f"container-default-{NONE}.lock"
    os.mkfifo(planted)
    try:
        answer = Lab(settings=settings).invoke("stop", NONE)
    finally:
        planted.unlink()
    assert (answer.code, answer.err) == (
        2,
        f"error: The lock {planted} is a named pipe, which labstamp did not make.\n"
        f"Next: Check what it is, and remove it as root: rm -r {planted}\n",
    )


def test_root_reads_no_settings_that_another_account_may_write(settings: Path) -> None:
    lab = Lab(settings=settings)
    os.chown(settings, NOBODY, 0)
    answer = lab.invoke("stop", NONE)
    assert (answer.code, answer.err.splitlines()[:2]) == (
        2,
        [
            "error: Another account may change files that root reads, and could so become root.",
            f"  {settings} belongs to nobody",
        ],
    )
    # Who became root by sudo may be root anyway.
    caller = ROOT.stat().st_uid or NOBODY
    os.chown(settings, caller, 0)
    answer = lab.invoke("stop", NONE, SUDO_UID=str(caller))
    assert answer.err.splitlines()[0] == NO_CONTAINER
    definitions = settings.with_name("definitions")
    definitions.mkdir()
    (definitions / "base.yaml").write_text("")
    os.chown(definitions / "base.yaml", NOBODY, 0)
    os.chown(settings, 0, 0)
    settings.write_text("definitions: definitions\n")
    answer = lab.invoke("check-definitions")
    assert (answer.code, answer.err.splitlines()[1]) == (
        2,
        f"  {definitions}/base.yaml belongs to nobody",
    )


@pytest.mark.parametrize("path", ["ci/lib.sh", "."])
def test_root_runs_no_script_of_another_account(tmp_path: Path, path: str) -> None:
    shutil.copytree(ROOT / "ci", tmp_path / "lab" / "ci")
    command = ["bash", str(tmp_path / "lab" / "ci" / "sandbox"), "status"]
    environ = {key: value for key, value in os.environ.items() if key != "SUDO_UID"}
    right = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (right.returncode, right.stderr) == (0, "")
    os.chown(tmp_path / "lab" / path, NOBODY, 0)
    refused = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    first, fix = refused.stderr.splitlines()
    assert refused.returncode == 2
    assert first.startswith(
        "Another account may change files that root runs, and could so become root: "
    )
    assert fix.endswith(f"chown -R root: {tmp_path}/lab && chmod -R go-w {tmp_path}/lab")
    environ["SUDO_UID"] = str(NOBODY)
    assert subprocess.run(command, env=environ, capture_output=True, check=False).returncode == 0
