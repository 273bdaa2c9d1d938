"""Distributions: which there are, and what they call things."""

from pathlib import Path

import pytest

from images.templates.distro import distro_names, load_distro
from lab.errors import InputError

OURS = Path(__file__).parents[2] / "images" / "distros"


def test_every_distribution_loads() -> None:
    assert distro_names(OURS) == ("debian-12", "debian-13", "ubuntu-22.04", "ubuntu-24.04")
    for name in distro_names(OURS):
        distro = load_distro(name, OURS)
        assert name == f"{distro.family}-{distro.release}"
        assert distro.suites[0] == distro.codename


def test_packages_are_called_what_the_distribution_calls_them() -> None:
    debian, ubuntu = load_distro("debian-12", OURS), load_distro("ubuntu-24.04", OURS)
    assert debian.packages(["git", "docker", "git"]) == ("git", "docker.io")
    assert ubuntu.packages(["docker"]) == ("docker.io", "docker-buildx", "docker-compose-v2")


def test_auto_is_the_hosts_own(tmp_path: Path) -> None:
    host = tmp_path / "os-release"
    host.write_text('PRETTY_NAME="Ubuntu 24.04.3 LTS"\nID=ubuntu\nVERSION_ID="24.04"\n')
    assert load_distro("auto", OURS, host).name == "ubuntu-24.04"


def test_a_host_that_is_not_supported(tmp_path: Path) -> None:
    host = tmp_path / "os-release"
    host.write_text('PRETTY_NAME="Fedora Linux 43"\nID=fedora\nVERSION_ID=43\n')
    with pytest.raises(InputError) as caught:
        load_distro("auto", OURS, host)
    assert str(caught.value) == (
        "This host is Fedora Linux 43, and images of it are not supported.\n"
        "  Known: debian-12, debian-13, ubuntu-22.04, ubuntu-24.04.\n"
        "Next: Choose one with `distribution:` in lab.yaml."
    )


def test_an_unknown_distribution() -> None:
    with pytest.raises(InputError) as caught:
        load_distro("ubunut-24.04", OURS)
    assert str(caught.value) == (
        'There is no distribution "ubunut-24.04".\n'
        "  Known: debian-12, debian-13, ubuntu-22.04, ubuntu-24.04.\n"
        'Next: Did you mean "ubuntu-24.04"? It is set by `distribution:` in lab.yaml.'
    )


def test_a_file_under_a_wrong_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (OURS / "debian-12.yaml").read_text()
    (tmp_path / "debian-14.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        load_distro("debian-14", tmp_path)
    assert str(caught.value) == (
        "debian-14.yaml cannot be used.\n"
        "  debian-14.yaml:1: name: must be that of the file, debian-14, not debian-12"
    )


def test_a_version_belongs_to_what_the_distribution_calls_it() -> None:
    debian, ubuntu = load_distro("debian-12", OURS), load_distro("ubuntu-24.04", OURS)
    wanted = ("python3-pip=23.0.1+dfsg-1", "docker=20.10", "curl/bookworm-backports", "libc6:i386")
    assert debian.packages(wanted) == (
        *("python3-pip=23.0.1+dfsg-1", "docker.io=20.10"),
        *("curl/bookworm-backports", "libc6:i386"),
    )
    with pytest.raises(InputError) as caught:
        ubuntu.packages(["docker=20.10"])
    assert str(caught.value) == (
        "docker=20.10: on ubuntu-24.04 docker is docker.io, docker-buildx, docker-compose-v2, so "
        "it is not known which package has that version.\n"
        "Next: Name the package itself, or map docker=20.10 under `names:` in "
        "images/distros/ubuntu-24.04.yaml."
    )
