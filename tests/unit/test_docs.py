"""What the documents say must be there: commands, options, links, pictures, the other language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.builders.command_line import namespace

ROOT = Path(__file__).resolve().parents[2]
TOP = ("README", "SECURITY", "CONTRIBUTING")
GUIDES = [*(ROOT / f"{one}.md" for one in TOP), *sorted((ROOT / "docs").glob("*.md"))]
ENGLISH = [path for path in GUIDES if not path.name.endswith(".zh-CN.md")]
EVERY = [*GUIDES, *(ROOT / f"{one}.zh-CN.md" for one in TOP)]

FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
INVOKED = re.compile(r"\binvoke (?P<name>[a-z][a-z.-]*[a-z])(?P<rest>[^`\n#]*)")
OPTION_TABLE = re.compile(
    r"^\| (?:option of `(?P<of>[a-z-]+)`|`(?P<zh>[a-z-]+)` 的选项) \|.*\n(?P<rows>(?:\|.*\n)+)",
    re.MULTILINE,
)
OPTION = re.compile(r"(?<![\w-])--(?P<name>[a-z][a-z-]+)")
SCRIPT = re.compile(r"(?<![\w/])(?P<path>ci/[a-z-]+(?:\.(?:sh|py))?)")
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)


def options(command: str) -> set[str]:
    arguments = namespace()[command].get_arguments()
    return {name.replace("_", "-") for argument in arguments for name in argument.names}


def headings(path: Path) -> list[str]:
    return HEADING.findall(FENCED.sub("", path.read_text(encoding="utf-8")))


def anchor(heading: str) -> str:
    """As the forges make them: lower case, punctuation gone, dashes for spaces."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", EVERY, ids=name)
def test_commands_and_their_options_exist(path: Path) -> None:
    wrong = []
    for found in INVOKED.finditer(path.read_text(encoding="utf-8")):
        command = found["name"]
        if command not in namespace().task_names:
            wrong.append(f"invoke {command}")
            continue
        wrong += [
            f"invoke {command} --{option}"
            for option in OPTION.findall(found["rest"])
            if option not in options(command)
        ]
    assert not wrong


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("reference*.md")), ids=name)
def test_every_command_is_in_the_reference(path: Path) -> None:
    told = {found["name"] for found in INVOKED.finditer(path.read_text(encoding="utf-8"))}
    assert set(namespace().task_names) - told == {"welcome"}  # the bare `invoke`


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("reference*.md")), ids=name)
def test_tables_of_options_hold_real_ones(path: Path) -> None:
    tables = list(OPTION_TABLE.finditer(path.read_text(encoding="utf-8")))
    assert tables
    for table in tables:
        told = set(re.findall(r"^\| `--([a-z-]+)", table["rows"], re.MULTILINE))
        assert told
        assert told <= options(table["of"] or table["zh"])


@pytest.mark.parametrize("path", EVERY, ids=name)
def test_scripts_exist(path: Path) -> None:
    told = set(SCRIPT.findall(path.read_text(encoding="utf-8")))
    assert not {script for script in told if not (ROOT / script).is_file()}


@pytest.mark.parametrize("path", EVERY, ids=name)
def test_links_and_pictures_lead_somewhere(path: Path) -> None:
    broken = []
    for target in LINK.findall(path.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        file, _, part = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        if not there.exists() or (
            part and part not in {anchor(heading) for heading in headings(there)}
        ):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("path", ENGLISH, ids=name)
def test_the_chinese_guide_has_the_same_structure(path: Path) -> None:
    sibling = path.with_name(f"{path.stem}.zh-CN.md")
    assert sibling.is_file()

    def levels(one: Path) -> list[int]:
        text = FENCED.sub("", one.read_text(encoding="utf-8"))
        return [len(line.split()[0]) for line in text.splitlines() if HEADING.match(line)]

    assert levels(sibling) == levels(path)
    assert len(FENCED.findall(sibling.read_text(encoding="utf-8"))) == len(
        FENCED.findall(path.read_text(encoding="utf-8"))
    )


def test_the_test_command_of_the_readme_is_the_one() -> None:
    for readme in ("README.md", "README.zh-CN.md"):
        assert re.search(r"^sudo ci/test\b", (ROOT / readme).read_text(), re.MULTILINE)
