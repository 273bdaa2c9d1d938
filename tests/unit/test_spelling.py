"""Commands in texts, as they are typed where labstamp is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.spelling import respelling
from lab import console
from lab.errors import InputError
from tests.support.builders.command_line import namespace


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that no shell finds by its name."""
    path = tmp_path / "bin/labstamp"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return path


TEXTS = [
    ("Finish it: invoke provision bob", "Finish it: {typed} provision bob"),
    ("See invoke --list, `invoke host.check`.", "See {typed} --list, `{typed} host.check`."),
    ("sudo .venv/bin/invoke host.setup", "sudo {by_root} host.setup"),
    # Not ours.
    ("invoke magic, dpkg invoke-rc.d", "invoke magic, dpkg invoke-rc.d"),
    ("/opt/lab/.venv/bin/invoke host.setup", "/opt/lab/.venv/bin/invoke host.setup"),
    ("reinvoke list", "reinvoke list"),
]


@pytest.mark.parametrize(("text", "told"), TEXTS)
def test_commands_are_told_as_they_are_typed(script: Path, text: str, told: str) -> None:
    respell = respelling(script, namespace().task_names)
    assert respell(text) == told.format(typed=script, by_root=script)


@pytest.mark.parametrize(("text", "told"), TEXTS)
def test_by_the_name_alone_where_the_shell_finds_it(
    script: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, told: str
) -> None:
    # As pipx and uv have it: a link in a directory of the PATH, which is not sudo's.
    link = tmp_path / "local/labstamp"
    link.parent.mkdir()
    link.symlink_to(script)
    monkeypatch.setenv("PATH", f"{link.parent}:/usr/bin")
    respell = respelling(link, namespace().task_names)
    assert respell(text) == told.format(typed="labstamp", by_root=link)


@pytest.fixture
def _respelt(script: Path) -> Iterator[None]:
    console.spell_commands(respelling(script, ["list"]))
    yield
    console.spell_commands(str)


@pytest.mark.usefixtures("_respelt")
def test_all_that_is_printed_is_respelt_but_files(capsys: pytest.CaptureFixture[str]) -> None:
    text = "type: invoke list"
    console.print_text(text)
    console.print_json({"fix": [text]})
    console.print_summary("x", [("a", text)], [text])
    console.print_table("", ("a",), [(text,)], empty="")
    console.print_note(text)
    console.print_error(InputError(text, fix=text))
    with console.Plain() as report:
        report.say(text)
    captured = capsys.readouterr()
    assert "invoke" not in captured.out + captured.err
    console.print_verbatim(text)
    assert capsys.readouterr().out == f"{text}\n"
