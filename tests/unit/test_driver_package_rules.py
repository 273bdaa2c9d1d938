"""Which packages are the driver's, and what may go: rules that need no recording."""

from __future__ import annotations

import re

import pytest

from lab.driver.apt_output import (
    Package,
    could_not_fetch,
    read_installed,
    read_simulation,
)
from lab.driver.packages import (
    NotAvailable,
    Plan,
    choose_files,
    choose_for_installer,
    choose_packages,
    foreign_removals,
    names_to_ask_for,
    pins,
    to_hold,
)


def test_a_transitional_package_left_from_before_has_a_counterpart_or_goes() -> None:
    """Named after 530, of version 535: its name says nothing of the branch it is of."""
    installed = (*HERE, Package("nvidia-utils-530", "535.171.04-0ubuntu2"))
    offers = [Package("nvidia-utils-550", "550.67-0ubuntu3")]
    plan = choose_packages(installed, offers, "550.67")
    assert plan == Plan(
        install=("nvidia-utils-550=550.67-0ubuntu3",),
        remove=("nvidia-utils-530",),
        pins=pins("550.67"),
    )
    offers.append(Package("nvidia-utils-530", "550.67-0ubuntu3"))
    plan = choose_packages(installed, offers, "550.67")
    assert isinstance(plan, Plan)
    assert plan.install[-1] == "nvidia-utils-530=550.67-0ubuntu3"


HERE = (
    Package("dpkg", "1.21.22"),
    Package("kmod", "30"),
    # None of these is the driver's, by name or by version.
    Package("nvidia-container-toolkit", "1.17.8-1"),
    Package("libcudart11.0", "11.8.89~11.8.0-5"),
    Package("glx-alternative-nvidia", "1.2.2"),
    Package("ann-535", "535.1"),
)
OLD = (Package("libcuda1", "535.261.03-1"), Package("libcuda1:i386", "535.261.03-1"))


@pytest.mark.parametrize(
    ("name", "version", "expected"),
    [
        ("libcuda1", "535.261.03-1", True),
        ("libnvcuvid1", "1:535.261.03-0ubuntu1", True),
        ("libnvoptix1", "550.163.01-2", True),
        ("nvidia-container-toolkit", "1.17.8-1", False),
        ("libcudart11.0", "11.8.89~11.8.0-5", False),
        ("linux-image", "535.261.03-1", False),
    ],
)
def test_the_drivers_packages_are_known_by_name_and_version(
    name: str, version: str, *, expected: bool
) -> None:
    assert Package(name, version).is_driver is expected


def test_an_epoch_and_a_revision_do_not_make_another_version() -> None:
    assert Package("a", "1:535.261.03-0ubuntu1").is_of("535.261.03")
    assert Package("a", "535.261.03").is_of("535.261.03")
    assert not Package("a", "535.261.031-1").is_of("535.261.03")


def test_what_is_not_installed_is_not_here() -> None:
    text = (
        "ii  dpkg amd64 1.21.22\nrc  libcuda1:amd64 amd64 535.1-1\nun  nvidia-smi  \n"
        "hi  libnvidia-ml1:amd64 amd64 535.1-1\nii  libcuda1:i386 i386 535.1-1\n"
        "iHR nvidia-alternative amd64 535.1-1\nnonsense\n"
    )
    assert [package.name for package in read_installed(text)] == [
        "dpkg",
        "libnvidia-ml1",
        "libcuda1:i386",
        "nvidia-alternative",
    ]


def test_a_package_of_another_architecture_has_a_counterpart_or_goes() -> None:
    offers = (Package("nvidia-smi", "550.163.01-1"), Package("libcuda1", "550.163.01-1"))
    plan = choose_packages((*HERE, *OLD), offers, "550.163.01")
    assert isinstance(plan, Plan)
    assert plan.words == (
        "nvidia-smi=550.163.01-1",
        "libcuda1=550.163.01-1",
        "libcuda1:i386-",
    )


def test_apt_is_asked_once_about_all_that_the_choice_may_need() -> None:
    here = (*HERE, Package("libnvidia-gl-535-server", "535.161.08-0ubuntu2"))
    names = names_to_ask_for(here, "550.163.01", ("mine",))
    assert names[0] == "mine"
    assert {"nvidia-smi", "nvidia-driver-cuda", "nvidia-utils-550-server", "nvidia-utils"} < set(
        names
    )
    assert {"libnvidia-gl-535-server", "libnvidia-gl-550-server"} < set(names)
    assert "libnvidia-gl-550" not in names
    assert "ann-535" not in names
    desktop = names_to_ask_for((*here, Package("xorgxrdp", "1:0.9.19-1")), "550.163.01")
    assert "libnvidia-gl-550" in desktop


def test_files_bring_what_they_hold_and_all_else_of_the_driver_goes() -> None:
    files = (Package("libcuda1", "550.163.01-1"), Package("ann-535", "535.1"))
    plan = choose_files((*HERE, *OLD), files, ("/inbox/a.deb", "/inbox/b.deb"), "550.163.01")
    assert isinstance(plan, Plan)
    assert plan.words == ("/inbox/a.deb", "/inbox/b.deb", "libcuda1:i386-")
    chosen = choose_files(HERE, files, (), "535.261.03")
    assert chosen == NotAvailable(offers=files[:1])


def test_nvidias_installer_finds_no_package_of_the_driver_and_modprobe() -> None:
    assert choose_for_installer((*HERE, *OLD), "550.163.01").words == (
        "libcuda1-",
        "libcuda1:i386-",
    )
    assert choose_for_installer((), "550.163.01").words == ("kmod",)


def test_what_is_removed_is_not_held() -> None:
    simulation = read_simulation(
        "Remv libcuda1:i386 [535.261.03-1]\nInst libc6 [2.36] (2.36-9 Debian [amd64])\n"
        "Conf libc6 (2.36-9 Debian [amd64])\n"
    )
    assert to_hold((*HERE, *OLD), simulation) == ("libcuda1",)
    assert foreign_removals((*HERE, *OLD), simulation) == ()


def test_pins_are_globs_and_allow_one_version_alone() -> None:
    text = pins("550.163.01")
    assert text.count("Package: *nvidia* libcuda* libnvcuvid* libnvoptix*\n") == 2
    patterns = re.findall(r"^Pin: version /(.*)/$", text, re.MULTILINE)
    assert [bool(re.search(patterns[0], version)) for version in SEEN] == [True, True, False, False]
    assert [bool(re.search(patterns[1], version)) for version in SEEN] == [True, True, True, False]
    assert re.findall(r"Pin-Priority: (.*)", text) == ["1001", "-1"]


SEEN = ("550.163.01-2", "1:550.163.01-0ubuntu1", "550.163.011-1", "1.17.8-1")


def test_an_archive_out_of_reach_is_known_by_apts_words() -> None:
    assert could_not_fetch("W: Failed to fetch http://deb/InRelease  Could not resolve 'deb'\n")
    assert could_not_fetch("E: The repository 'http://deb' does not have a Release file.\n")
    assert not could_not_fetch("W: Target Packages is configured multiple times\n")
