"""Files that a userland is installed from: there, whole, and of the version that is wanted."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import requests
import requests_mock

from lab.download import cache_directory, fetched
from lab.driver.userland_sources import Run, origin_of, run_version
from lab.errors import InputError
from lab.settings.driver import DriverSettings, RunSettings

VERSION = "535.261.03"
HEAD = (
    '#! /bin/sh\nlabel="NVIDIA Accelerated Graphics Driver for Linux-x86_64 535.261.03"\n'
    'version_string=535.261.03\ntargetdir="NVIDIA-Linux-x86_64-535.261.03"\n'
)
URL = "https://mirror.example/NVIDIA-Linux-x86_64-535.261.03.run"


@pytest.fixture
def installer(tmp_path: Path) -> Path:
    file = tmp_path / f"NVIDIA-Linux-x86_64-{VERSION}.run"
    file.write_bytes(HEAD.encode() + bytes(range(256)) * 16)
    return file


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def sum_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def by_run(**settings: object) -> DriverSettings:
    return DriverSettings(run=RunSettings(**settings))  # type: ignore[arg-type]


def refused(settings: DriverSettings, version: str = VERSION) -> str:
    with pytest.raises(InputError) as caught:
        list(origin_of(settings, version).files())
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_an_installer_says_its_version(installer: Path, tmp_path: Path) -> None:
    assert run_version(installer) == VERSION
    (tmp_path / "other").write_text("#!/bin/sh\necho hello\n")
    assert run_version(tmp_path / "other") is None


def test_a_file_is_taken_by_its_version(installer: Path) -> None:
    named = installer.with_name("NVIDIA-Linux-x86_64-{version}.run")
    origin = origin_of(by_run(file=named, sha256=sum_of(installer)), VERSION)
    assert list(origin.files()) == [installer]
    assert origin.inputs()["driver installer"] == f"sha:{sum_of(installer)[:12]}"


def test_an_installer_of_another_version_is_refused(installer: Path) -> None:
    assert refused(by_run(file=installer), "550.163.01") == (
        f"{installer} installs driver 535.261.03, but 550.163.01 is needed.\n"
        "Next: Name the installer of 550.163.01 under `driver: {run: …}` in lab.yaml."
    )


def test_a_file_that_is_not_there_or_another_one_is_refused(installer: Path) -> None:
    assert "does not exist: " in refused(by_run(file=installer.with_name("nothing.run")))
    said = refused(by_run(file=installer, sha256="0" * 64))
    assert f"sha256 of the file: {sum_of(installer)}" in said


def test_a_directory_without_packages_is_refused(tmp_path: Path) -> None:
    settings = DriverSettings(packages=tmp_path / "{version}")
    assert f"The directory {tmp_path}/{VERSION} contains no .deb file." in refused(settings)


def test_a_url_is_fetched_once(installer: Path) -> None:
    with requests_mock.Mocker() as web:
        web.get(URL, content=installer.read_bytes())
        first = fetched(URL, sum_of(installer))
        again = fetched(URL, sum_of(installer))
        assert first == again
        assert web.call_count == 1
        # What was damaged on disk meanwhile is fetched anew.
        first.write_bytes(b"damaged")
        assert fetched(URL, sum_of(installer)).read_bytes() == installer.read_bytes()
    assert [file.name for file in cache_directory().iterdir()] == [first.name]


def test_a_url_that_holds_something_else_is_not_kept(installer: Path) -> None:
    with requests_mock.Mocker() as web:
        web.get(URL, content=b"<html>Please log in</html>")
        said = refused(by_run(url=URL, sha256=sum_of(installer)))
    assert said.splitlines()[0] == f"{URL} has another checksum than the one in lab.yaml."
    assert list(cache_directory().iterdir()) == []


def test_a_url_that_is_gone_too_large_or_out_of_reach_is_told(installer: Path) -> None:
    with requests_mock.Mocker() as web:
        web.get(URL, status_code=404, reason="Not Found")
        assert "the server answered 404 Not Found" in refused(by_run(url=URL, sha256="1" * 64))
        web.get(URL, exc=requests.ConnectTimeout("nobody answers"))
        assert "nobody answers" in refused(by_run(url=URL, sha256="2" * 64))
        web.get(URL, content=b"x" * 100)
        with pytest.raises(InputError, match="is larger than 50 B"):
            fetched(URL, "3" * 64, limit=50)


def test_the_url_of_an_installer_needs_no_file() -> None:
    origin = origin_of(by_run(url=URL, sha256="a" * 64), VERSION)
    assert isinstance(origin, Run)
    assert origin.name == URL
    assert origin.inputs()["driver installer"] == "sha:" + "a" * 12
