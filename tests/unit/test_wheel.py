"""The wheel: built, installed in an environment of its own, and run where there is no checkout.

No LXD is reached: LXD_DIR leads nowhere.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.builders.wheel import ROOT, Installed, install_wheel, run

PARTS = ("cloud-init", "commands", "host", "images", "lab", "provision")

# `tests` is of the checkout, which comes last in the path: all else is of what is judged.
RECIPES = """
import json, sys
sys.path.append(sys.argv[1])
from images.build.targets import targets
from images.context import open_context
from lab.places import ROOT
from lab.report import Silent
from lab.settings.settings import Settings
from tests.support.builders.releases import Shelf

settings = Settings.model_validate({
    "distribution": "debian-12", "mirror": "https://mirror.example/debian",
    "timezone": "Etc/UTC", "driver": {"delivery": "none"},
})
context = open_context(ROOT, settings, Shelf().lxd, Silent())
found = targets(context, context.catalog.order())
print(json.dumps([str(ROOT), context.commit, {
    one.definition.name: [one.recipes.body.id, one.recipes.release.id] for one in found
}]))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install_wheel(tmp_path_factory.mktemp("installed"))


def test_it_holds_all_that_git_has_of_its_parts(installed: Installed) -> None:
    listed = run("git", "-C", ROOT, "-c", "safe.directory=*", "ls-files", "--", *PARTS)
    there = set(listed.stdout.splitlines())
    assert there
    packed = set(ZipFile(installed.wheel).namelist())
    assert there <= packed
    assert {"tasks.py", "lab.example.yaml"} <= packed
    assert not [name for name in packed if name.startswith(("tests/", "ci/", "docs/"))]


def test_it_says_its_version(installed: Installed) -> None:
    ended = installed.labstamp("--version")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"-{ended.stdout.split()[1]}-" in installed.wheel.name


def test_it_offers_what_invoke_does(installed: Installed) -> None:
    from tests.support.builders.command_line import namespace  # noqa: PLC0415 - after the wheel was built

    ended = installed.labstamp("--list")
    assert ended.returncode == 0
    assert all(f"  {name}" in ended.stdout for name in namespace().task_names)


def test_it_judges_its_own_definitions(installed: Installed) -> None:
    ended = installed.labstamp("check-definitions", LAB_SETTINGS=_settings(installed, ""))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "Every definition, cloud-init source and setting is valid.\n"


def test_it_renders_files_as_they_are(installed: Installed) -> None:
    """Also where they name a command."""
    ended = installed.labstamp("render docker", LAB_SETTINGS=_settings(installed, ""))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("#cloud-config\n")


def test_its_settings_are_the_machines(installed: Installed) -> None:
    ended = installed.labstamp(
        "settings --json", LAB_SETTINGS=_settings(installed, "pool: fast\nlocale: zh_CN.UTF-8\n")
    )
    assert ended.returncode == 0, ended.stderr
    settings = json.loads(ended.stdout)["settings"]
    assert [one for one in settings if one["line"]] == [
        {"key": "pool", "value": "fast", "line": 1},
        {"key": "locale", "value": "zh_CN.UTF-8", "line": 2},
    ]
    ended = installed.labstamp("settings", LAB_SETTINGS="gone.yaml")
    assert ended.returncode == 2
    assert ended.stderr.endswith("without it labstamp reads /etc/labstamp/lab.yaml.\n")
    ended = installed.labstamp("settings --example")
    assert ended.stdout == (ROOT / "lab.example.yaml").read_text()


def test_a_typo_ends_with_1_and_no_traceback(installed: Installed) -> None:
    ended = installed.labstamp("provison bob")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        'error: There is no command "provison".\nNext: Did you mean: provision\n'
    )


def test_its_errors_name_the_command_that_is_typed(installed: Installed) -> None:
    by_path = installed.labstamp("xyzzy")
    assert by_path.stderr.endswith(f": {installed.environment}/bin/labstamp --list\n")
    path = f"{installed.environment}/bin:{os.environ['PATH']}"
    assert installed.labstamp("xyzzy", PATH=path).stderr.endswith(": labstamp --list\n")


def test_a_reader_that_goes_away_is_no_traceback(installed: Installed) -> None:
    line = f"{installed.environment}/bin/labstamp --help | true; echo ${{PIPESTATUS[0]}}"
    ended = installed.run("bash", "-c", line)
    assert ended.stderr == ""
    assert ended.stdout in {"141\n", "0\n"}  # 0: it was quicker than the reader


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("host.c", "host.check"),
        ("provision bob --te", "--template"),
        ("provision bob --key ''", ""),
        # Half a quotation.
        ("provision \\'x --cp", "--cpus"),
    ],
)
def test_bash_completes_it(installed: Installed, line: str, wanted: str) -> None:
    """As bash does at TAB: its words, the word at the cursor."""
    ended = installed.run(
        *("bash", "-c"),
        'eval "$(labstamp --print-completion-script bash)"\n'
        'COMP_WORDS=(labstamp "$@") COMP_CWORD=$#\n'
        '_labstamp labstamp "${@: -1}" ""\n'
        'echo "${COMPREPLY[*]}"',
        *("bash", *shlex.split(line)),
        PATH=f"{installed.environment}/bin:{os.environ['PATH']}",
    )
    assert (ended.stdout, ended.stderr) == (f"{wanted}\n", "")


def test_recipes_are_those_of_the_checkout(installed: Installed) -> None:
    """Who goes from one to the other builds nothing anew."""
    python = installed.environment / "bin/python"
    here = run(sys.executable, "-c", RECIPES, ROOT)
    there = installed.run(python, "-c", RECIPES, ROOT)
    assert (here.returncode, there.returncode) == (0, 0), here.stderr + there.stderr
    root_here, _, ours = json.loads(here.stdout)
    root_there, commit, theirs = json.loads(there.stdout)
    assert root_here == str(ROOT)
    assert Path(root_there).is_relative_to(installed.environment)
    assert theirs == ours
    assert {"base", "docker-nested"} <= set(ours)
    # Where there is no commit to note with a release, the version is.
    assert f"-{commit}-" in installed.wheel.name


def _settings(installed: Installed, text: str) -> str:
    path = installed.elsewhere / "lab.yaml"
    path.write_text(text)
    return str(path)
