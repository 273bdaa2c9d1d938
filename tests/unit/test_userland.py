"""Userlands: what is told of them by files, and what an installation in a container asks of LXD."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.driver.userland import Userland, install, version_in
from lab.errors import NotFound
from lab.lxd.model import State
from lab.settings.driver import RunSettings
from tests.support.builders.userland_script import (
    DPKG,
    HAS_OLD,
    INBOX,
    MULTIARCH,
    NEW,
    OFFERS,
    OLD,
    SIMULATED,
    Script,
    ended,
    files,
    inside,
    of,
    with_bob,
)
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeFile


@pytest.fixture
def lxd() -> FakeLxd:
    return with_bob()


@pytest.mark.parametrize("directory", [MULTIARCH, f"{MULTIARCH}/nvidia/current"])
def test_the_version_is_told_by_the_libraries(lxd: FakeLxd, directory: str) -> None:
    assert version_in(lxd, "bob") is None
    inside(lxd).update(files(OLD, directory))
    lxd.store.instances["default", "bob"].state = State.STOPPED
    assert version_in(lxd, "bob") == OLD


def test_two_versions_side_by_side_are_no_version(lxd: FakeLxd) -> None:
    inside(lxd).update(files(OLD, f"{MULTIARCH}/nvidia/current"))
    inside(lxd)[f"{MULTIARCH}/libcuda.so.{NEW}"] = FakeFile(content=b"x")
    assert version_in(lxd, "bob") == f"{OLD}+{NEW}"


def test_a_container_that_is_gone_is_not_one_without_a_driver(lxd: FakeLxd) -> None:
    with pytest.raises(NotFound):
        version_in(lxd, "ann")


PINS = f"{INBOX}/pins"


def test_apt_is_asked_where_nothing_else_is_set(lxd: FakeLxd) -> None:
    script = Script(lxd, NEW)
    script.answers = {"installed": [HAS_OLD], "offers": [OFFERS], "simulate": [SIMULATED]}
    install(lxd, "bob", of())
    asked = [f"nvidia-smi={NEW}-1", f"libcuda1={NEW}-1"]
    assert script.verbs == ["installed", "offers", "simulate", "install", "rm"]
    assert {"nvidia-smi", "nvidia-utils-550", "nvidia-utils", "libcuda1"} < set(script.ran[1])
    assert script.ran[2:4] == [
        ["simulate", PINS, *asked],
        ["install", PINS, "libcuda1 nvidia-smi", *asked],
    ]
    assert b"550\\.163\\.01" in inside(lxd)[PINS].content
    assert script.ran[-1] == ["rm", "-rf", INBOX]


def test_the_packages_that_the_settings_name_are_taken(lxd: FakeLxd) -> None:
    script = Script(lxd, NEW)
    named = f"nvidia-utils-550 | {NEW}-1 | http://deb\nlibcuda1 | {NEW}-1 | http://deb\n"
    script.answers = {"installed": [HAS_OLD], "offers": [ended(0, named)]}
    install(lxd, "bob", of(apt_packages=("nvidia-utils-{branch}", "libcuda1")))
    assert script.ran[2][2:] == [f"nvidia-utils-550={NEW}-1", f"libcuda1={NEW}-1"]


def test_where_apt_has_nothing_to_do_pins_and_holds_are_set_again(lxd: FakeLxd) -> None:
    script = Script(lxd, NEW)
    there = ended(0, HAS_OLD.stdout.replace(OLD, NEW))
    script.answers = {"installed": [there], "offers": [OFFERS]}
    install(lxd, "bob", of())
    assert script.ran[3] == ["install", PINS, "libcuda1"]


def test_files_are_installed_and_what_they_do_not_bring_goes(lxd: FakeLxd, tmp_path: Path) -> None:
    (tmp_path / NEW).mkdir()
    (tmp_path / NEW / "a tool.deb").write_bytes(b"deb")
    script = Script(lxd, NEW)
    script.answers = {
        "installed": [HAS_OLD],
        "files": [ended(0, f"nvidia-smi {NEW}-1\n")],
        "simulate": [ended(100, "E: Unmet dependencies\n"), ended(0, f"Remv libcuda1 [{OLD}-1]\n")],
    }
    install(lxd, "bob", of(packages=tmp_path / "{version}"))
    asked = [f"{INBOX}/a tool.deb", "libcuda1-"]
    assert script.ran == [
        ["installed"],
        ["files", INBOX],
        ["simulate", PINS, *asked],
        # What the files depend on may be in apt's lists, once there are some.
        ["update"],
        ["simulate", PINS, *asked],
        ["install", PINS, "", *asked],
        ["rm", "-rf", INBOX],
    ]
    assert inside(lxd)[f"{INBOX}/a tool.deb"].content == b"deb"


@pytest.fixture
def installer(tmp_path: Path) -> Userland:
    (tmp_path / "driver.run").write_text(f"#!/bin/sh\nversion_string={NEW}\n")
    return of(run=RunSettings(file=tmp_path / "driver.run"))


def test_nvidias_installer_is_checked_before_packages_go(lxd: FakeLxd, installer: Userland) -> None:
    file = f"{INBOX}/driver.run"
    script = Script(lxd, NEW)
    script.answers = {
        "installed": [HAS_OLD],
        "simulate": [ended(0, f"Remv libcuda1 [{OLD}-1]\n")],
    }
    install(lxd, "bob", installer)
    assert script.ran == [
        [file, "--check"],
        ["installed"],
        ["simulate", PINS, "libcuda1-"],
        ["run", PINS, file, "libcuda1-"],
        ["rm", "-rf", INBOX],
    ]


def test_nvidias_installer_gets_modprobe_where_there_is_none(
    lxd: FakeLxd, installer: Userland
) -> None:
    script = Script(lxd, NEW)
    script.answers = {
        "installed": [ended(0, DPKG)],
        "simulate": [ended(0, "Inst kmod (30 Debian:12 [amd64])\n")],
    }
    install(lxd, "bob", installer)
    assert script.verbs[2:4] == ["update", "simulate"]
    assert script.ran[4] == ["run", PINS, f"{INBOX}/driver.run", "kmod"]


def test_a_recipe_says_where_it_comes_from(tmp_path: Path) -> None:
    package = tmp_path / "a.deb"
    package.write_bytes(b"deb")
    assert of().inputs().keys() == {"driver", "driver from", "lab/scripts/userland.sh"}
    assert of().inputs()["driver from"] == "apt"
    assert of(packages=tmp_path).inputs()["driver packages"].startswith("sha:")
    assert of(OLD).inputs() != of().inputs()
    assert len({of(), of(apt_packages=("nvidia-smi",)), of(packages=tmp_path)}) == 3
