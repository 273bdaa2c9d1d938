"""The command `labstamp` as far as it is decided before a task runs: what is typed, and offered."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from invoke.collection import Collection
from invoke.exceptions import Exit
from invoke.parser.context import ParserContext
from invoke.program import Program

from commands import completion
from commands.checkout import refuse_mistyped
from commands.program import Labstamp
from commands.spelling import respelling
from lab import console
from lab.errors import InputError

ROOT = Path(__file__).parents[2]


@cache
def namespace() -> Collection:
    spec = importlib.util.spec_from_file_location("labstamp_tasks", ROOT / "tasks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Collection = module.namespace
    return found


class Unexecuted(Labstamp):
    """Runs no task, whatever is typed."""

    def execute(self) -> None:
        raise AssertionError(f"would run: {self.argv}")


Said = tuple[int, str, str]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[[str], Said]:
    def said(line: str) -> Said:
        with pytest.raises(SystemExit) as ended:
            Unexecuted(namespace()).run(["labstamp", *line.split()])
        captured = capsys.readouterr()
        return int(str(ended.value.code or 0)), captured.out, captured.err

    return said


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


def test_the_help_of_options_is_there_however_often_they_are_asked_for() -> None:
    for contexts in (namespace().to_contexts(), namespace().to_contexts()):
        (provision,) = (one for one in contexts if one.name == "provision")
        assert str(provision.args.template.help).startswith("Template to make it from")


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
    "line", [*RIGHT, "--complete -- provison", "--help provision", "--dry list", "--list -F nested"]
)
def test_in_a_checkout_it_is_left_to_invoke(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded_by_invoke(line, monkeypatch)


@pytest.mark.parametrize("line", RIGHT)
def test_what_is_right_runs(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    argv = ["labstamp", *line.split()]
    monkeypatch.setattr("sys.argv", argv)  # commands.variadic
    with pytest.raises(AssertionError, match="would run"):
        Unexecuted(namespace()).run(argv)


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
