"""Userlands: what is told of them by files, and what an installation in a container asks of LXD."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from lab.driver import userland
from lab.driver.userland import Userland, install, userland_of, version_in
from lab.errors import CheckError, InputError, NotFound
from lab.lxd.model import Completed, State
from lab.settings.driver import DriverSettings
from lab.settings.settings import Settings
from tests.fake_lxd import FakeLxd
from tests.fake_store import FakeFile, FakeInstance

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


def answering(lxd: FakeLxd, ended: Completed, version: str | None = None) -> list[Sequence[str]]:
    """The script ends like that and leaves VERSION; the commands that ran."""
    ran: list[Sequence[str]] = []

    def answer(_name: str, argv: Sequence[str], _stdin: bytes | None) -> Completed:
        ran.append(argv)
        if argv[0] == "flock" and version:
            inside(lxd).update(files(version))
        return ended if argv[0] == "flock" else Completed(exit_code=0, stdout="", stderr="")

    lxd.on_run = answer
    return ran


DONE = Completed(exit_code=0, stdout="", stderr="")


def test_an_installation_brings_the_script_and_takes_it_away_again(
    lxd: FakeLxd, tmp_path: Path
) -> None:
    (tmp_path / NEW).mkdir()
    (tmp_path / NEW / "libcuda1.deb").write_bytes(b"deb")
    ran = answering(lxd, DONE, NEW)
    install(lxd, "bob", of(packages=tmp_path / "{version}"))
    assert ran == [
        ["flock", "--close", INBOX, "sh", f"{INBOX}/userland.sh", NEW, "debs", INBOX],
        ["rm", "-rf", INBOX],
    ]
    assert inside(lxd)[f"{INBOX}/libcuda1.deb"].content == b"deb"


def test_apt_is_asked_where_nothing_else_is_set(lxd: FakeLxd) -> None:
    ran = answering(lxd, DONE, NEW)
    install(lxd, "bob", of())
    assert ran[0][-3:] == [f"{INBOX}/userland.sh", NEW, "apt"]
    install(lxd, "bob", of(apt_packages=("nvidia-utils-{branch}", "libcuda1")))
    assert ran[2][-3:] == ["apt", "nvidia-utils-550", "libcuda1"]


def test_a_version_that_is_not_to_be_had_names_those_that_are(lxd: FakeLxd) -> None:
    answering(
        lxd,
        Completed(exit_code=3, stdout="offered nvidia-smi 535.261.03-1\n", stderr="W: noise"),
    )
    with pytest.raises(InputError) as caught:
        install(lxd, "bob", of())
    assert str(caught.value).splitlines()[:4] == [
        "Driver 550.163.01 is not to be had from the container's apt.",
        "  It has:",
        "  nvidia-smi 535.261.03-1",
        "Next: Set `driver: {run: {file: NVIDIA-Linux-x86_64-550.163.01.run}}` in lab.yaml, or "
        "`driver: {packages: DIRECTORY}` with .deb files of it;",
    ]


def test_a_failure_is_told_in_apts_own_words(lxd: FakeLxd) -> None:
    ran = answering(lxd, Completed(exit_code=100, stdout="", stderr="E: Unmet dependencies\n"))
    with pytest.raises(CheckError) as caught:
        install(lxd, "bob", of())
    assert str(caught.value) == (
        "Driver 550.163.01 could not be installed in bob, from the container's apt.\n"
        "  E: Unmet dependencies"
    )
    assert ran[-1] == ["rm", "-rf", INBOX]


def test_what_is_not_inside_afterwards_was_not_installed(lxd: FakeLxd) -> None:
    answering(lxd, DONE, OLD)
    with pytest.raises(CheckError, match=f"bob has driver {OLD} after {NEW} was installed"):
        install(lxd, "bob", of())


def test_a_recipe_says_where_it_comes_from(tmp_path: Path) -> None:
    package = tmp_path / "a.deb"
    package.write_bytes(b"deb")
    script = userland._SCRIPT.name
    assert of().inputs().keys() == {"driver", "driver from", f"lab/scripts/{script}"}
    assert of().inputs()["driver from"] == "apt"
    assert of(packages=tmp_path).inputs()["driver packages"].startswith("sha:")
    assert of(OLD).inputs() != of().inputs()
    assert len({of(), of(apt_packages=("nvidia-smi",)), of(packages=tmp_path)}) == 3
