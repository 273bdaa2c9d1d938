"""Userlands: what is told of them by files, and what an installation in a container asks of LXD."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab.driver.userland import Userland, install, userland_of, version_in
from lab.errors import CheckError, InputError, NotFound
from lab.lxd.model import Completed, State
from lab.settings.driver import DriverSettings, RunSettings
from lab.settings.settings import Settings
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeFile, FakeInstance

OLD, NEW = "535.261.03", "550.163.01"
MULTIARCH = "/usr/lib/x86_64-linux-gnu"
INBOX = "/var/cache/labstamp-userland"


def files(version: str, directory: str = MULTIARCH) -> dict[str, FakeFile]:
    names = (f"libnvidia-ml.so.{version}", f"libcuda.so.{version}", "libcuda.so.1", "libc.so.6")
    return {f"{directory}/{name}": FakeFile(content=b"x") for name in names}


@pytest.fixture
def lxd() -> FakeLxd:
    lxd = FakeLxd()
    made = FakeInstance(state=State.RUNNING, profiles=("default",), files={})
    lxd.store.instances["default", "bob"] = made
    return lxd


def inside(lxd: FakeLxd) -> dict[str, FakeFile]:
    return lxd.store.instances["default", "bob"].files


def of(version: str = NEW, **driver: object) -> Userland:
    return userland_of(Settings(driver=DriverSettings(**driver)), version)  # type: ignore[arg-type]


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


DONE = Completed(exit_code=0, stdout="", stderr="")


def ended(exit_code: int, stdout: str = "", stderr: str = "") -> Completed:
    return Completed(exit_code=exit_code, stdout=stdout, stderr=stderr)


@dataclass(slots=True)
class Script:
    """userland.sh answers so, by its verb; afterwards LEAVES is inside."""

    lxd: FakeLxd
    leaves: str | None = None
    answers: dict[str, list[Completed]] = field(default_factory=dict)
    ran: list[Sequence[str]] = field(default_factory=list)
    """Without what is the same for all."""

    def __post_init__(self) -> None:
        self.lxd.on_run = self.answer

    def answer(self, _name: str, argv: Sequence[str], _stdin: bytes | None) -> Completed:
        if argv[0] == "rm":
            self.ran.append(argv)
            return DONE
        assert argv[:4] == ["flock", "--close", INBOX, "sh"]
        words = argv[5:] if argv[4] == f"{INBOX}/userland.sh" else argv[4:]
        self.ran.append(words)
        if words[0] in {"install", "run"} and self.leaves:
            inside(self.lxd).update(files(self.leaves))
        answers = self.answers.get(words[0], [])
        return answers.pop(0) if answers else DONE

    @property
    def verbs(self) -> list[str]:
        return [words[0] for words in self.ran]


PINS = f"{INBOX}/pins"
DPKG = "ii  dpkg amd64 1.21.22\n"
HAS_OLD = ended(0, f"{DPKG}ii  libcuda1:amd64 amd64 {OLD}-1\nii  kmod amd64 30+20221128-1\n")
OFFERS = ended(
    0,
    f"nvidia-smi | {NEW}-1 | http://deb bookworm/non-free amd64 Packages\n"
    f"  libcuda1 | {NEW}-1 | http://deb bookworm/non-free amd64 Packages\n",
)
SIMULATED = ended(
    0,
    f"Inst libcuda1 [{OLD}-1] ({NEW}-1 Debian:12 [amd64])\n"
    f"Inst nvidia-smi ({NEW}-1 Debian:12 [amd64])\n",
)


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


def test_a_recipe_says_where_it_comes_from(tmp_path: Path) -> None:
    package = tmp_path / "a.deb"
    package.write_bytes(b"deb")
    assert of().inputs().keys() == {"driver", "driver from", "lab/scripts/userland.sh"}
    assert of().inputs()["driver from"] == "apt"
    assert of(packages=tmp_path).inputs()["driver packages"].startswith("sha:")
    assert of(OLD).inputs() != of().inputs()
    assert len({of(), of(apt_packages=("nvidia-smi",)), of(packages=tmp_path)}) == 3
