"""What a shell offers at TAB, and the scripts that have it ask."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from functools import partial

import pytest
from invoke.parser.context import ParserContext

from commands import completion
from commands.program import Labstamp
from lab.errors import InputError
from tests.support.builders.command_line import Said, namespace, said_by_labstamp


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[[str], Said]:
    return partial(said_by_labstamp, capsys)


def offered(line: str) -> list[str]:
    """LINE as shells hand it on: a blank at its end is an empty word."""
    core = Labstamp(namespace()).initial_context
    contexts: list[ParserContext] = namespace().to_contexts()
    return completion.candidates(line.split(" "), contexts, core)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("host.c", ["host.check"]),
        ("sync-", ["sync-drivers"]),
        ("provision bob --te", ["--template"]),
        ("provision bob --template docker --pl", ["--plan"]),
        ("sync-drivers -", ["--force", "--plan", "--restart"]),
        ("build-images --k", ["--keep-failed"]),
        ("--vers", ["--version"]),
        ("--help provis", ["provision"]),
        # Values and arguments: files, as shells offer them.
        ("provision bob --key ", []),
        ("provision bob --key gh:", []),
        ("provision bob --template = do", []),
        ("show ", []),
        ("show x", []),
        ('"x', []),
    ],
)
def test_what_a_shell_offers(line: str, wanted: list[str]) -> None:
    assert offered(line) == wanted


def test_every_command_is_offered_first() -> None:
    assert offered("") == sorted(namespace().task_names)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(said: Callable[[str], Said], shell: str) -> None:
    code, out, err = said(f"--print-completion-script {shell}")
    assert (code, err) == (0, "")
    assert out == completion.script(shell)
    assert "labstamp --complete -- " in out


def test_another_shell_is_refused(said: Callable[[str], Said]) -> None:
    with pytest.raises(InputError, match="no completion for the shell"):
        completion.script("../x")
    code, _, err = said("--print-completion-script tcsh")
    assert code == 2
    assert err.endswith("Next: Choose one of: bash, fish, zsh\n")


_TRY = """
source /dev/stdin <<<"$1"
labstamp() { printf '%s|' "$@" >&2; printf '%s\n' host.check host.gpus provision; }
COMP_WORDS=(labstamp show "a b" host.) COMP_CWORD=3
_labstamp labstamp host. "a b"
printf '%s\n' "${COMPREPLY[@]}"
"""


def test_bash_asks_word_by_word_and_takes_what_fits() -> None:
    ended = subprocess.run(
        ["bash", "-c", _TRY, "bash", completion.script("bash").replace("2>/dev/null", "")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "host.check\nhost.gpus\n"
    assert ended.stderr == "--complete|--|show|a b|host.|"
