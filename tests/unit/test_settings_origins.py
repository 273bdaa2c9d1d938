"""`settings`: every value, and where it comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from invoke.context import Context

from commands import settings as command
from commands.cli import read_settings
from commands.views import settings as view
from lab.settings.origins import Origin, origins
from lab.settings.settings import Settings, load_settings
from lab.yaml.tree import Tree, read_tree

SAMPLE = Path(__file__).parents[2] / "lab.example.yaml"


def told(tmp_path: Path, text: str) -> dict[str, Origin]:
    path = tmp_path / "lab.yaml"
    path.write_text(text)
    return {one.key: one for one in origins(load_settings(tmp_path, {}), read_tree(path))}


def test_each_value_has_its_line(tmp_path: Path) -> None:
    found = told(
        tmp_path,
        "# a lab\n"
        "timezone: Asia/Shanghai\n"
        "driver:\n"
        "  delivery: image\n"
        "definitions: mine\n"
        "options: {input-method: true}\n"
        "mirror:\n",
    )
    assert {key: one.line for key, one in found.items() if one.line} == {
        "timezone": 2,
        "driver.delivery": 4,
        "definitions": 5,
        "options": 6,
        "mirror": 7,
    }
    assert found["timezone"].value == "Asia/Shanghai"
    assert found["definitions"].value == str(tmp_path / "mine")
    assert found["options"].value == {"input-method": True}
    assert found["mirror"].value is None
    assert (found["driver.on-drift"].value, found["driver.on-drift"].line) == ("refuse", None)


@pytest.mark.parametrize(
    ("text", "value"),
    [("", "1"), ("gpus: {default: 2}", "2"), ("gpus: {default: all}", "all")]
    + [(f"gpus: {{default: {none}}}", "none") for none in ("none", "0")],
)
def test_the_usual_gpus_are_told_as_they_are_asked_for(
    tmp_path: Path, text: str, value: str
) -> None:
    assert told(tmp_path, text)["gpus.default"].value == value


def test_without_a_file_all_are_defaults(tmp_path: Path) -> None:
    found = origins(Settings(), Tree(path=tmp_path / "lab.yaml"))
    assert {one.line for one in found} == {None}
    keys = {one.key.partition(".")[0] for one in found}
    assert keys == {field.alias or name for name, field in Settings.model_fields.items()}


@pytest.mark.parametrize(
    "text",
    [
        "proxy: http://zhang:p%40ss@proxy.lab:3128\n",
        "mirror: http://zhang:p%40ss@mirror.lab/debian\n",
        "driver: {run: {url: 'http://zhang:p%40ss@mirror.lab/x.run', sha256: '"
        + "0" * 64
        + "'}}\n",
    ],
)
def test_no_password_is_told(tmp_path: Path, text: str) -> None:
    assert load_settings(_written(tmp_path, text), {}).holds_password
    found = told(tmp_path, text).values()
    assert "p%40ss" not in str(found)
    assert "zhang:***@" in str(found)


def _written(directory: Path, text: str) -> Path:
    (directory / "lab.yaml").write_text(text)
    return directory


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "chosen.yaml"
    path.write_text("pool: fast\nproxy: http://zhang:secret@proxy.lab:3128\n")
    path.chmod(0o600)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAB_SETTINGS", str(path))
    return path


def test_the_command_for_people(chosen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command.settings(Context())
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "Read from chosen.yaml, which LAB_SETTINGS names."
    assert "pool fast chosen.yaml:1" in lines
    assert "proxy http://zhang:***@proxy.lab:3128 chosen.yaml:2" in lines
    assert "network not set default" in lines
    assert "limits.memory 50% default" in lines


def test_the_command_for_programs(chosen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command.settings(Context(), json=True)
    document = json.loads(capsys.readouterr().out)
    assert {key: document[key] for key in ("file", "exists", "named_by")} == {
        "file": str(chosen),
        "exists": True,
        "named_by": "LAB_SETTINGS",
    }
    assert {"key": "pool", "value": "fast", "line": 1} in document["settings"]
    assert "secret" not in str(document)


@pytest.mark.usefixtures("chosen")
def test_the_example_is_the_sample(capsys: pytest.CaptureFixture[str]) -> None:
    command.settings(Context(), example=True)
    assert capsys.readouterr().out == SAMPLE.read_text()


def test_the_file_is_read_once(chosen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, plain = [], Path.read_text

    def read_text(path: Path, encoding: str | None = None) -> str:
        read.append(path)
        return plain(path, encoding=encoding)

    monkeypatch.setattr(Path, "read_text", read_text)
    command.settings(Context())
    assert read.count(chosen) == 1


@pytest.mark.usefixtures("chosen")
def test_what_was_read_is_what_commands_read() -> None:
    assert read_settings().pool == "fast"


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    file = view.SettingsFile(path=tmp_path / "lab.yaml", exists=False, named_by=None)
    assert str(file) == f"There is no {tmp_path}/lab.yaml: every setting has its default."
