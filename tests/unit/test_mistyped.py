"""What is mistyped is named, by `labstamp` and by `invoke` in a checkout; when help is shown."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from invoke.exceptions import Exit
from invoke.program import Program

from commands.checkout import refuse_mistyped
from tests.support.builders.command_line import Said, Unexecuted, namespace, said_by_labstamp


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[[str], Said]:
    return partial(said_by_labstamp, capsys)


MISTYPED = [
    ("provison bob", 'There is no command "provison".\nNext: Did you mean: provision'),
    ("build", 'There is no command "build".\nNext: Did you mean: build-images'),
    ("chek", 'There is no command "chek".\nNext: Did you mean: check-definitions, host.check'),
    ("setup", 'There is no command "setup".\nNext: Did you mean: host.setup'),
    ("--help provison", 'There is no command "provison".\nNext: Did you mean: provision'),
    ("xyzzy", 'There is no command "xyzzy".\nNext: See all commands: invoke --list'),
    ("it's", 'There is no command "it\'s".\nNext: See all commands: invoke --list'),
    (
        "provision bob --templat docker",
        'provision has no option "--templat".\nNext: Did you mean: --template',
    ),
    (
        "provision bob --templat=docker",
        'provision has no option "--templat".\nNext: Did you mean: --template',
    ),
    (
        "provision bob -t docker",
        'provision has no option "-t".\nNext: Did you mean: --template',
    ),
    (
        "provision --templat docker bob",
        'provision has no option "--templat".\nNext: Did you mean: --template',
    ),
    (
        "show bob --xyzzy",
        'show has no option "--xyzzy".\nNext: See its arguments and options: invoke --help show',
    ),
    (
        "--jsno list",
        '{program} has no option "--jsno".\n'
        "Next: See the options: invoke --help. Type the options of a command after its name.",
    ),
    (
        "show bob ann",
        'show takes no further argument, and "ann" is not a command.\n'
        "Next: See all commands: invoke --list",
    ),
    (
        "host.gpus show bob --jsno",
        'show has no option "--jsno".\nNext: Did you mean: --json',
    ),
    (
        "show",
        "show needs: NAME.\nNext: See its arguments and options: invoke --help show",
    ),
    (
        "provision bob --keep_failed --cpus",
        'provision has no option "--keep_failed".\n'
        "Next: See its arguments and options: invoke --help provision",
    ),
    (
        "build-images --jobs",
        "--jobs needs a value.\nNext: See its arguments and options: invoke --help build-images",
    ),
    *(
        (
            f"provision bob --key{more}",
            "--key needs a value.\nNext: See its arguments and options: invoke --help provision",
        )
        for more in ("", " --password", " a.pub --key", " --template docker", " --xyzzy", " --help")
    ),
    # Of the program's own, where only those of the command do something; and no NAME.
    *(
        (
            line,
            'provision has no option "--list".\n'
            "Next: See its arguments and options: invoke --help provision",
        )
        for line in ("provision --list", "provision --list bob", "provision bob --list")
    ),
    (
        "sync-drivers --version ann",
        'sync-drivers has no option "--version".\n'
        "Next: See its arguments and options: invoke --help sync-drivers",
    ),
    *(
        (
            line,
            'There is no list format "xyzzy".\nNext: Choose one of: flat, nested, json',
        )
        for line in ("--list-format xyzzy --list", "--list -F xyzzy", "--list-format=xyzzy list")
    ),
]


@pytest.mark.parametrize(("line", "told"), MISTYPED)
def test_what_is_mistyped_is_named(said: Callable[[str], Said], line: str, told: str) -> None:
    assert said(line) == (1, "", f"error: {told.format(program='labstamp')}\n")


@pytest.mark.parametrize(("line", "told"), MISTYPED)
def test_in_a_checkout_too(
    line: str, told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Exit) as ended:
        loaded_by_invoke(line, monkeypatch)
    assert ended.value.code == 1
    assert capsys.readouterr() == ("", f"error: {told.format(program='invoke')}\n")


@pytest.mark.parametrize("line", ["--dry destroy bob", "-R destroy bob --yes", "--dry list"])
def test_a_dry_run_of_invoke_would_change_all(
    line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Exit) as ended:
        loaded_by_invoke(line, monkeypatch)
    assert ended.value.code == 1
    assert capsys.readouterr() == (
        "",
        "error: --dry would leave out nothing: labstamp would make every change.\n"
        "  Nothing was done.\n"
        "Next: Ask a command that has --plan what it would do: invoke build-images --plan\n",
    )


def commands() -> list[str]:
    return sorted(namespace().task_names)


HELP = ["{} --help", "{} -h", "{} --help x", "{} x y --help", "{} --help --xyzzy", "show x {} -h"]


@pytest.mark.parametrize("line", HELP)
@pytest.mark.parametrize("command", commands())
def test_each_command_has_help_wherever_it_is_asked_for(
    said: Callable[[str], Said], command: str, line: str
) -> None:
    wanted = said(f"--help {command}")
    assert wanted[1].startswith(f"Usage: labstamp [--core-opts] {command} ")
    assert said(line.format(command)) == wanted


@pytest.mark.parametrize("line", HELP)
@pytest.mark.parametrize("command", commands())
def test_so_it_has_in_a_checkout(command: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = loaded_by_invoke(line.format(command), monkeypatch)
    assert (program.args.help.value, program.core.unparsed) == (command, [])


def test_options_that_labstamp_has_not(said: Callable[[str], Said]) -> None:
    assert said("--dry list") == (
        1,
        "",
        'error: labstamp has no option "--dry".\n'
        "Next: See the options: invoke --help. Type the options of a command after its name.\n",
    )
    assert said("--list-depth x") == (1, "", "error: --list-depth needs a whole number.\n")


def loaded_by_invoke(line: str, monkeypatch: pytest.MonkeyPatch) -> Program:
    """The program of `invoke LINE` once it has loaded tasks.py."""
    argv = ["invoke", *line.split()]
    monkeypatch.setattr("sys.argv", argv)  # commands.variadic
    program = Program()
    program.parse_core(argv)
    refuse_mistyped(namespace(), program)
    return program


RIGHT = [
    "",
    "list --json",
    "provision bob --key - --key=a.pub --password",
    "provision --gpus none --template docker bob",
    "destroy --yes bob",
    "sync-drivers ann bob --plan",
    "sync-drivers",
    "host.setup --plan host.check",
    "host.gpus list --json",
    "promote docker 20261121.1",
]


@pytest.mark.parametrize(
    "line", [*RIGHT, "--complete -- provison", "--help provision", "--list -F nested"]
)
def test_in_a_checkout_it_is_left_to_invoke(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded_by_invoke(line, monkeypatch)


@pytest.mark.parametrize("line", RIGHT)
def test_what_is_right_runs(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    argv = ["labstamp", *line.split()]
    monkeypatch.setattr("sys.argv", argv)  # commands.variadic
    with pytest.raises(AssertionError, match="would run"):
        Unexecuted(namespace()).run(argv)
