"""What is judged before root runs a command: the program, the settings, what they name."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from lab import own_files
from lab.errors import InputError
from lab.machine.ownership import Fault
from lab.own_files import (
    every_fault,
    insist_on_named,
    insist_on_program,
    insist_on_settings,
    refusal,
)
from lab.settings.settings import Settings, load_settings
from tests.support.builders.installed import environment_in

OURS = own_files.trusted() | {os.geteuid()}
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(own_files, "trusted", lambda: OURS)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As far as it is judged, with nothing in it."""
    checkout = tmp_path / "lab"
    for directory in ("commands", "images/scripts", "cloud-init", ".git/hooks"):
        (checkout / directory).mkdir(parents=True)
    for file in ("tasks.py", "commands/cli.py", "images/scripts/base.sh", ".git/config"):
        (checkout / file).write_text("")
    return checkout


def test_this_checkout_is_judged_as_it_runs() -> None:
    insist_on_program(ROOT)


@pytest.mark.parametrize(
    "path",
    [".", "tasks.py", "commands", "commands/cli.py", "images/scripts/base.sh", ".git/config"],
)
def test_each_part_of_the_program_counts(checkout: Path, path: str) -> None:
    insist_on_program(checkout)
    (checkout / path).chmod(0o777)
    with pytest.raises(
        InputError, match="Another account may change files that root runs, and could so become"
    ):
        insist_on_program(checkout)
    assert every_fault(checkout, Settings(), OURS) != ()


@pytest.mark.parametrize("path", [".", "tasks.py", "lab", "lab/places.py", "../../.."])
def test_each_part_of_an_installed_program_counts(tmp_path: Path, path: str) -> None:
    installed = environment_in(tmp_path / "labstamp")
    insist_on_program(installed)
    (installed / path).chmod(0o777)
    with pytest.raises(
        InputError, match="Another account may change files that root runs"
    ) as caught:
        insist_on_program(installed)
    told = (caught.value.details or "").splitlines()
    assert told
    assert len(set(told)) == len(told)
    assert every_fault(installed, Settings(), OURS) != ()


def test_an_environment_in_somebodys_home_is_installed_anew(tmp_path: Path) -> None:
    """Moved, as a checkout may be, it would not run."""
    place = tmp_path / "labstamp"
    environment_in(place)
    command = f"chown -h root: {tmp_path}"
    fault = Fault(path=tmp_path, why="belongs to bob", command=command)
    told = str(refusal("Another account may write it.", [fault], place, {"SUDO_UID": "1000"}))
    assert "sudo env PIPX_HOME=/opt/pipx PIPX_BIN_DIR=/usr/local/bin pipx install" in told
    assert "mv " not in told


def test_a_worktree_s_repository_counts(tmp_path: Path) -> None:
    main, further = tmp_path / "main", tmp_path / "further"
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@lab.example", "-C", str(main)]
    main.mkdir()
    for command in (
        ["init", "-q"],
        ["commit", "-q", "--allow-empty", "-m", "x"],
        ["worktree", "add", "-q", str(further)],
    ):
        subprocess.run([*git, *command], check=True, capture_output=True)
    insist_on_program(further)
    (main / ".git" / "config").chmod(0o666)
    with pytest.raises(InputError, match="config may be written by everybody"):
        insist_on_program(further)


def test_the_settings_file_is_judged_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text("locale: [no, yaml, of, ours]")
    file.chmod(0o666)
    monkeypatch.setenv("LAB_SETTINGS", str(file))
    with pytest.raises(InputError, match="files that root reads"):
        insist_on_settings(tmp_path)
    file.chmod(0o644)
    insist_on_settings(tmp_path)


@pytest.mark.parametrize("part", ["x", "x/file"])
@pytest.mark.parametrize(
    "settings",
    [
        {"definitions": "x"},
        {"cloud-init": "x"},
        {"ca-certificates": ["x/file"]},
        {"source": {"kind": "file", "path": "x/file"}},
        {"driver": {"packages": "x"}},
        {"driver": {"run": {"file": "x/{version}"}}},
        {"nvidia-container-toolkit": {"url": "https://lab.example/deb", "key": "x/file"}},
    ],
)
def test_each_file_that_settings_name_counts(
    tmp_path: Path, settings: dict[str, object], part: str
) -> None:
    file = tmp_path / "x" / "file"
    file.parent.mkdir()
    file.write_text("")
    written = tmp_path / "lab.yaml"
    written.write_text(json.dumps(settings))
    read = load_settings(tmp_path, {})
    insist_on_named(read)
    (tmp_path / part).chmod(0o777)
    with pytest.raises(InputError, match="files that root puts into containers"):
        insist_on_named(read)


def test_who_is_not_root_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o777)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    insist_on_program(tmp_path)
    insist_on_named(Settings(cloud_init=tmp_path))
