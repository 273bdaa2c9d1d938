"""An installation of the userland that fails: what is told, and what stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.driver.userland import Userland, install
from lab.errors import CheckError, InputError
from lab.settings.driver import RunSettings
from tests.support.builders.userland_script import (
    HAS_OLD,
    INBOX,
    NEW,
    OFFERS,
    OLD,
    SIMULATED,
    Script,
    ended,
    of,
    with_bob,
)
from tests.support.fake_lxd.lxd import FakeLxd


@pytest.fixture
def lxd() -> FakeLxd:
    return with_bob()


def test_files_of_another_version_are_refused(lxd: FakeLxd, tmp_path: Path) -> None:
    (tmp_path / "a.deb").write_bytes(b"deb")
    script = Script(lxd)
    script.answers = {"files": [ended(0, f"nvidia-smi {OLD}-1\n")]}
    with pytest.raises(InputError) as caught:
        install(lxd, "bob", of(packages=tmp_path))
    assert str(caught.value).splitlines()[:3] == [
        f"Driver {NEW} is not available from {tmp_path}.",
        "  It has:",
        f"  nvidia-smi {OLD}-1",
    ]
    assert script.verbs == ["installed", "files", "rm"]


@pytest.fixture
def installer(tmp_path: Path) -> Userland:
    (tmp_path / "driver.run").write_text(f"#!/bin/sh\nversion_string={NEW}\n")
    return of(run=RunSettings(file=tmp_path / "driver.run"))


def test_a_damaged_installer_changes_nothing(lxd: FakeLxd, installer: Userland) -> None:
    script = Script(lxd)
    script.answers = {f"{INBOX}/driver.run": [ended(1, "", "Error in checksums\n")]}
    with pytest.raises(CheckError, match="Error in checksums"):
        install(lxd, "bob", installer)
    assert script.verbs == [f"{INBOX}/driver.run", "rm"]


def test_a_version_that_is_not_available_names_those_that_are(lxd: FakeLxd) -> None:
    script = Script(lxd)
    script.answers = {
        "offers": [ended(0, f"nvidia-smi | {OLD}-1 | http://deb\n", "W: Failed to fetch ann's\n")]
    }
    with pytest.raises(InputError) as caught:
        install(lxd, "bob", of())
    assert str(caught.value).splitlines()[:4] == [
        "Driver 550.163.01 is not available from the container's apt.",
        "  It has:",
        "  nvidia-smi 535.261.03-1",
        "Next: Set `driver: {run: {file: NVIDIA-Linux-x86_64-550.163.01.run}}` in lab.yaml, or "
        "`driver: {packages: DIRECTORY}` with .deb files of it;",
    ]
    assert script.verbs == ["installed", "offers", "rm"]


def test_an_archive_without_any_driver_is_told(lxd: FakeLxd) -> None:
    Script(lxd)
    with pytest.raises(InputError, match="It has no package of the NVIDIA driver"):
        install(lxd, "bob", of())


def test_an_archive_out_of_reach_is_not_one_without_the_driver(lxd: FakeLxd) -> None:
    said: list[str] = []
    script = Script(lxd)
    script.answers = {"offers": [ended(0, "", "W: Failed to fetch http://deb  Timed out\n")]}
    with pytest.raises(CheckError) as caught:
        install(lxd, "bob", of(), on_output=said.append)
    assert caught.value.details == "W: Failed to fetch http://deb  Timed out"
    assert said == ["W: Failed to fetch http://deb  Timed out\n"]


def test_a_package_of_the_users_is_never_removed(lxd: FakeLxd) -> None:
    script = Script(lxd)
    script.answers = {
        "installed": [HAS_OLD],
        "offers": [OFFERS],
        "simulate": [ended(0, f"Remv ann-simulator [2.1]\n{SIMULATED.stdout}")],
    }
    with pytest.raises(CheckError) as caught:
        install(lxd, "bob", of())
    assert str(caught.value) == (
        "Driver 550.163.01 could not be installed in bob, from the container's apt.\n"
        "  apt would have to remove ann-simulator, which is not part of the driver.\n"
        "Next: Correct what these lines report, then run the same command again."
    )
    assert script.verbs == ["installed", "offers", "simulate", "rm"]


def test_a_failure_is_told_in_apts_own_words(lxd: FakeLxd) -> None:
    said: list[str] = []
    script = Script(lxd)
    script.answers = {
        "offers": [OFFERS],
        "simulate": [SIMULATED],
        "install": [ended(100, "Fetched 3 MB\n", "E: No space left\n")],
    }
    with pytest.raises(CheckError) as caught:
        install(lxd, "bob", of(), on_output=said.append)
    assert str(caught.value) == (
        "Driver 550.163.01 could not be installed in bob, from the container's apt.\n"
        "  E: No space left\n"
        "Next: Correct what these lines report, then run the same command again."
    )
    assert said == ["Fetched 3 MB\n", "E: No space left\n"]
    assert script.ran[-1] == ["rm", "-rf", INBOX]


def test_a_failure_without_a_word_is_told_by_its_exit_code(lxd: FakeLxd) -> None:
    script = Script(lxd)
    script.answers = {"installed": [ended(127)]}
    with pytest.raises(CheckError, match="exit code 127, without output"):
        install(lxd, "bob", of())


def test_what_is_not_inside_afterwards_was_not_installed(lxd: FakeLxd) -> None:
    script = Script(lxd, OLD)
    script.answers = {"offers": [OFFERS], "simulate": [SIMULATED]}
    with pytest.raises(CheckError, match=f"bob has driver {OLD} after {NEW} was installed"):
        install(lxd, "bob", of())
