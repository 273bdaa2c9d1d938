"""What is where, in a checkout and where labstamp is installed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab import places
from lab.settings.settings import Settings, is_there, load_settings, settings_path
from tests.support.builders.installed import environment_in

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    return environment_in(tmp_path / "labstamp")


def test_this_is_a_checkout() -> None:
    assert places.ROOT == CHECKOUT
    assert not places.is_installed()
    assert places.installation() == CHECKOUT
    assert places.program() == CHECKOUT / ".venv/bin/invoke"
    assert places.root_in(CHECKOUT) == CHECKOUT
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", places.version())


def test_an_environment_is_told_by_the_installers_record(installed: Path, tmp_path: Path) -> None:
    assert places.is_installed(installed)
    assert places.version(installed) == "1.2.3"
    assert places.installation(installed) == tmp_path / "labstamp"
    assert places.program(installed) == tmp_path / "labstamp/bin/labstamp"
    assert places.root_in(tmp_path / "labstamp") == installed


def test_an_environment_of_a_later_python_is_found(installed: Path, tmp_path: Path) -> None:
    installed.parent.rename(installed.parent.with_name("python3.13"))
    found = places.root_in(tmp_path / "labstamp")
    assert found.parent.name == "python3.13"
    assert places.program(found).exists()


def test_the_settings_of_each(installed: Path, tmp_path: Path) -> None:
    own, chosen = tmp_path / "lab.yaml", tmp_path / "chosen.yaml"
    named = {"LAB_SETTINGS": str(chosen)}
    assert settings_path(tmp_path, {}) == own
    assert settings_path(installed, {}) == Path("/etc/labstamp/lab.yaml")
    assert settings_path(tmp_path, named) == settings_path(installed, named) == chosen


def test_a_checkout_reads_its_own_file_and_what_is_named_comes_first(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text("pool: own\n")
    (tmp_path / "chosen.yaml").write_text("pool: chosen\n")
    assert load_settings(tmp_path, {}).pool == "own"
    chosen = {"LAB_SETTINGS": str(tmp_path / "chosen.yaml")}
    assert load_settings(tmp_path, chosen).pool == "chosen"
    (tmp_path / "lab.yaml").unlink()
    assert load_settings(tmp_path, {}) == Settings()


def test_a_file_that_may_not_be_looked_at_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_there(tmp_path / "none")

    def forbidden(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    # No longer than this: pytest itself looks at files between two lines of a test.
    with monkeypatch.context() as patched:
        patched.setattr(Path, "stat", forbidden)
        found = is_there(tmp_path / "none")
    assert found


def test_the_logs_of_each(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert places.log_directory(tmp_path, {}, uid=0) == tmp_path / "logs"
    assert places.log_directory(installed, {"XDG_STATE_HOME": "/s"}, uid=0) == Path(
        "/var/log/labstamp"
    )
    for environ, state in (
        ({}, "/home/ann/.local/state"),
        ({"XDG_STATE_HOME": "/srv/state"}, "/srv/state"),
        ({"XDG_STATE_HOME": "state"}, "/home/ann/.local/state"),
    ):
        found = places.log_directory(installed, environ, uid=1000)
        assert found == Path(state) / "labstamp"
