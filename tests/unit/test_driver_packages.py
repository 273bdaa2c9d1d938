"""Which packages make a userland: decided from what dpkg and apt really printed (see apt/)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.driver.apt_output import (
    Package,
    read_installed,
    read_offers,
    read_simulation,
)
from lab.driver.packages import (
    NotAvailable,
    Plan,
    choose_packages,
    foreign_removals,
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
