"""The host's own mirrors, from the ways that apt sources are written."""

from pathlib import Path

import pytest

from lab.aptsources import Mirrors, host_mirrors


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    root = tmp_path / "apt"
    (root / "sources.list.d").mkdir(parents=True)
    return root


def test_one_line_sources(apt: Path) -> None:
    (apt / "sources.list").write_text(
        "# deb http://old.example/debian bookworm main\n"
        "deb-src http://source.example/debian bookworm main\n"
        "deb cdrom:[Debian 12]/ bookworm main\n"
        "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
        " https://mirror.example/debian/ bookworm main contrib # near\n"
        "deb http://security.example/debian-security bookworm-security main\n"
    )
    assert host_mirrors("debian", "bookworm", apt) == Mirrors(
        main="https://mirror.example/debian",
        security="http://security.example/debian-security",
    )


def test_deb822_sources(apt: Path) -> None:
    (apt / "sources.list.d" / "ubuntu.sources").write_text(
        "Enabled: no\nTypes: deb\nURIs: http://off.example/ubuntu\nSuites: noble\n"
        "Components: main\n\n"
        "# the mirror of the campus\n"
        "Types: deb deb-src\n"
        "URIs: http://mirror.example/ubuntu http://second.example/ubuntu\n"
        "Suites: noble noble-updates\n"
        " noble-security\n"
        "Components: main\n  universe\n"
        "Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg\n"
    )
    assert host_mirrors("ubuntu", "noble", apt) == Mirrors(
        main="http://mirror.example/ubuntu", security="http://mirror.example/ubuntu"
    )


def test_third_parties_are_not_taken_for_the_archive(apt: Path) -> None:
    extra = apt / "sources.list.d"
    (extra / "a-docker.list").write_text(
        "deb [signed-by=/etc/apt/keyrings/docker.gpg] https://d.example/debian bookworm stable\n"
    )
    (extra / "b-vpn.list").write_text(
        "deb [signed-by=/usr/share/keyrings/vpn.gpg] https://vpn.example/debian bookworm main\n"
    )
    (extra / "debian.sources").write_text(
        "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n"
    )
    assert host_mirrors("debian", "bookworm", apt) == Mirrors(main="http://mirror.example/debian")


def test_another_release_of_the_family_comes_from_the_hosts_mirror(apt: Path) -> None:
    (apt.parent / "os-release").write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
    (apt / "sources.list").write_text(
        "deb http://mirror.example/debian bookworm main\n"
        "deb http://mirror.example/debian-security bookworm-security main\n"
    )
    assert host_mirrors("debian", "trixie", apt) == Mirrors(
        main="http://mirror.example/debian", security="http://mirror.example/debian-security"
    )
    assert host_mirrors("ubuntu", "noble", apt) == Mirrors()


def test_a_cloud_images_list_of_mirrors(apt: Path, tmp_path: Path) -> None:
    mirrors = tmp_path / "debian.list"
    mirrors.write_text("https://mirror.example/debian\tpriority:1\nhttp://second.example/debian\n")
    (apt / "sources.list").write_text(f"deb mirror+file:{mirrors} bookworm main\n")
    assert host_mirrors("debian", "bookworm", apt) == Mirrors(main="https://mirror.example/debian")


def test_a_host_without_apt(tmp_path: Path) -> None:
    assert host_mirrors("debian", "bookworm", tmp_path / "nothing") == Mirrors()
