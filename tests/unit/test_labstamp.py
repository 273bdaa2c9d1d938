"""The command `labstamp`: its version, its help, and whose files it reads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.builders.command_line import Said, namespace, said_by_labstamp


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[[str], Said]:
    return partial(said_by_labstamp, capsys)


def test_the_help_of_options_is_there_however_often_they_are_asked_for() -> None:
    for contexts in (namespace().to_contexts(), namespace().to_contexts()):
        (provision,) = (one for one in contexts if one.name == "provision")
        assert str(provision.args.template.help).startswith("Template to make it from")


def test_the_version_is_its_own(said: Callable[[str], Said]) -> None:
    code, out, err = said("--version")
    assert (code, err) == (0, "")
    assert out.startswith("labstamp ")
    assert "unknown" not in out


def test_the_list_and_the_help_are_those_of_the_tasks(said: Callable[[str], Said]) -> None:
    code, out, _ = said("--list")
    assert code == 0
    assert all(f"  {name}" in out for name in namespace().task_names)
    for line in ("--help provision", "provision --help", "provision bob -h"):
        code, out, _ = said(line)
        assert code == 0
        assert out.startswith("Usage: labstamp ")
        assert "--template=STRING   Template to make it from" in out


def test_no_configuration_of_invoke_is_read(
    said: Callable[[str], Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".invoke.py").write_text("raise SystemExit(99)")
    assert said("--list")[0] == 0
