"""Which packages make a userland: decided from what dpkg and apt really printed (see apt/)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.driver.apt_output import (
    Package,
    could_not_fetch,
    read_installed,
    read_offers,
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

RECORDED = Path(__file__).with_name("apt")
DEBIAN = [
    *("libcuda1", "libnvcuvid1", "libnvidia-cfg1", "libnvidia-encode1", "libnvidia-ml1"),
    *("libnvidia-nvvm4", "libnvidia-opticalflow1", "libnvidia-ptxjitcompiler1"),
    *("nvidia-opencl-icd", "nvidia-smi"),
]
DESKTOP = [
    *("libegl-nvidia0", "libgl1-nvidia-glvnd-glx", "libgles-nvidia2", "libglx-nvidia0"),
    *("libnvidia-fbc1", "nvidia-egl-icd", "nvidia-vulkan-icd"),
]
BROUGHT_ALONG = [
    *("libnvidia-pkcs11-openssl3", "nvidia-alternative", "nvidia-legacy-check"),
    "nvidia-opencl-common",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What was printed in one container."""

    name: str

    def text(self, of: str) -> str:
        return (RECORDED / self.name / f"{of}.txt").read_text()

    @property
    def installed(self) -> tuple[Package, ...]:
        return read_installed(self.text("installed"))

    @property
    def held(self) -> list[str]:
        return list(to_hold(self.installed, read_simulation(self.text("simulated"))))

    @property
    def foreign(self) -> tuple[str, ...]:
        return foreign_removals(self.installed, read_simulation(self.text("simulated")))

    def choose(self, version: str, *named: str) -> Plan | NotAvailable:
        return choose_packages(self.installed, read_offers(self.text("offers")), version, named)

    def plan(self, version: str, *named: str) -> Plan:
        chosen = self.choose(version, *named)
        assert isinstance(chosen, Plan)
        return chosen


def at(version: str, *names: str) -> list[str]:
    return sorted(f"{name}={version}" for name in names)


def ubuntu(end: str) -> list[str]:
    names = ("libnvidia-cfg1", "libnvidia-compute", "libnvidia-decode", "libnvidia-encode")
    return [f"{name}{end}" for name in (*names, "nvidia-utils")]


def test_debian_has_names_of_its_own() -> None:
    recorded = Recorded(name="debian-535")
    plan = recorded.plan("535.261.03")
    assert sorted(plan.install) == at("535.261.03-1", *DEBIAN)
    assert plan.remove == ()
    assert recorded.foreign == ()
    # What these depend on has to stay at that version, too.
    assert recorded.held == sorted((*DEBIAN, *BROUGHT_ALONG))


def test_the_newer_version_of_an_archive_is_taken_where_it_is_the_hosts() -> None:
    plan = Recorded(name="debian-535").plan("535.309.01")
    assert "libcuda1=535.309.01-0+deb12u1" in plan.install


def test_a_desktop_gets_more() -> None:
    recorded = Recorded(name="debian-535-desktop")
    plan = recorded.plan("535.261.03")
    assert sorted(plan.install) == at("535.261.03-1", *DEBIAN, *DESKTOP)
    assert {*DEBIAN, *DESKTOP, *BROUGHT_ALONG} < set(recorded.held)
    assert not {"libglvnd0", "libegl1", "xserver-xorg-core"} & set(recorded.held)


def test_again_apt_has_nothing_to_do() -> None:
    recorded = Recorded(name="debian-535-again")
    simulation = read_simulation(recorded.text("simulated"))
    assert not simulation.changes
    assert recorded.plan("535.261.03").remove == ()
    assert recorded.held == sorted((*DEBIAN, *BROUGHT_ALONG))


def test_debian_550_takes_the_place_of_535() -> None:
    recorded = Recorded(name="debian-550-from-535")
    plan = recorded.plan("550.163.01")
    # What 535 brought along has the same name, and so its counterpart.
    assert sorted(plan.install) == at("550.163.01-2", *DEBIAN, *BROUGHT_ALONG)
    assert plan.remove == ()
    assert recorded.foreign == ()
    assert recorded.held == sorted((*DEBIAN, *BROUGHT_ALONG))


def test_a_package_of_the_users_is_in_the_way() -> None:
    recorded = Recorded(name="debian-550-users-package")
    assert recorded.foreign == ("ann-simulator",)


def test_a_version_that_no_archive_has_is_not_available() -> None:
    chosen = Recorded(name="debian-470-not-offered").choose("470.256.02")
    assert isinstance(chosen, NotAvailable)
    assert [str(package) for package in chosen.offers] == [
        "nvidia-smi 535.309.01-0+deb12u1",
        "nvidia-smi 535.261.03-1",
    ]


def test_ubuntu_names_the_branch() -> None:
    recorded = Recorded(name="ubuntu-535")
    plan = recorded.plan("535.171.04")
    assert sorted(plan.install) == at("535.171.04-0ubuntu2", *ubuntu("-535"))
    assert recorded.held == ubuntu("-535")


def test_ubuntu_names_the_branch_for_servers() -> None:
    plan = Recorded(name="ubuntu-535-server").plan("535.161.08")
    assert sorted(plan.install) == at("535.161.08-0ubuntu2", *ubuntu("-535-server"))


def test_ubuntus_other_branch_has_counterparts() -> None:
    recorded = Recorded(name="ubuntu-550-from-535")
    plan = recorded.plan("550.67")
    assert sorted(plan.install) == at("550.67-0ubuntu3", *ubuntu("-550"))
    # apt removes the old ones by itself, and they are the driver's.
    assert set(read_simulation(recorded.text("simulated")).removes) == set(ubuntu("-535"))
    assert recorded.foreign == ()
    assert recorded.held == ubuntu("-550")


def test_a_transitional_package_is_not_followed_into_another_branch() -> None:
    """Ubuntu's last nvidia-utils-550 is empty and depends on that of 580: the pins refuse it."""
    recorded = Recorded(name="ubuntu-550-transitional")
    plan = recorded.plan("550.163.01")
    assert sorted(plan.install) == at("550.163.01-0ubuntu0.24.04.2", *ubuntu("-550"))
    said = recorded.text("simulated")
    assert "nvidia-utils-550 : Depends: nvidia-utils-580" in said
    assert not read_simulation(said).changes


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


def test_nvidias_archive_names_no_branch() -> None:
    recorded = Recorded(name="nvidia-590")
    plan = recorded.plan("590.48.01")
    assert plan.words == (
        "nvidia-utils=590.48.01-1ubuntu1",
        "libnvidia-compute=590.48.01-1ubuntu1",
    )
    assert recorded.held == ["libnvidia-compute", "nvidia-utils"]


def test_packages_by_name_are_taken_instead_or_not_at_all() -> None:
    recorded = Recorded(name="debian-535")
    named = ("nvidia-smi", "libcuda1")
    assert recorded.plan("535.261.03", *named).install == (
        "nvidia-smi=535.261.03-1",
        "libcuda1=535.261.03-1",
    )
    chosen = recorded.choose("535.261.03", "libcuda1", "nothing-of-this-name")
    assert isinstance(chosen, NotAvailable)


# ---- without recordings --------------------------------------------------------------------------

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
