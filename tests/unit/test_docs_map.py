"""What architecture.md, decisions.md and lxd-quirks.md name is there, in both languages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
LANGUAGES = ("", ".zh-CN")
PAGES = [
    DOCS / f"{stem}{language}.md"
    for stem in ("architecture", "decisions", "lxd-quirks")
    for language in LANGUAGES
]
MAPS, DECISIONS, QUIRKS = PAGES[:2], PAGES[2:4], PAGES[4:]
PACKAGES = ("images", "provision", "host", "lab")
CODE = (*PACKAGES, "commands", "ci", "cloud-init", "tests")

FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
PATH = re.compile(rf"(?:{'|'.join((*CODE, 'docs'))})/[\w./-]*|[\w.-]+\.(?:py|toml|md|yaml)")
NO_PATHS = {
    "lab/base",  # an alias
    "lab/scripts/userland.sh",  # a file of before, whose name recipes keep
    "lab.yaml",
    "metadata.yaml",
    "backup.yaml",
}
NAME = re.compile(r"@?[A-Za-z_][\w.]*:?")
HEADING = re.compile(r"[\s│├└─]*(?P<package>commands|images|provision|host|lab)/ ")
DRAWN = re.compile(r"(?<![\w/])[a-z_]+(?:/|\.py)(?= |$)")
SINCE = re.compile(r"[0-9a-f]{7}(?:, [0-9a-f]{7})*")
# A reader with a translator gets nothing from these.
RIDDLES = re.compile(
    r"\b(?:who|what)ever\b|\bmend|\banew\b|\bin vain\b|\bto be had\b|\bof use\b"
    r"|\bat it\b|\bwings?\b|\bhouse\b|\bshop\b",
    re.IGNORECASE,
)


def name(path: Path) -> str:
    return path.name


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def paths_in(text: str) -> Iterator[str]:
    """The words in backquotes that are paths of this repository."""
    for span in SPAN.findall(FENCED.sub("", text)):
        yield from (word for word in span.split() if PATH.fullmatch(word) and word not in NO_PATHS)


def there(path: str) -> bool:
    """Whether there is such a file or folder; `images/distros/NAME.yaml` stands for any in it."""
    if "NAME" in path:
        return any((ROOT / path).parent.glob(f"*{Path(path).suffix}"))
    return (ROOT / path).is_dir() if path.endswith("/") else (ROOT / path).exists()


def rows_of(path: Path, *, cells: int) -> Iterator[list[str]]:
    """The rows of all tables with so many columns, without their headings."""
    lines = text_of(path).splitlines()
    for above, line in zip(["", *lines], lines, strict=False):
        row = [cell.strip() for cell in line.strip("|").split("|")]
        heads = line.startswith("| ---") or not above.startswith("|")
        if line.startswith("|") and not heads and len(row) == cells:
            yield row


@cache
def repository() -> str:
    """The text of everything but documents, and of what Python puts together of it."""
    texts = []
    for file in sorted(file for folder in CODE for file in (ROOT / folder).rglob("*")):
        if file == Path(__file__) or "__pycache__" in file.parts or not file.is_file():
            continue
        try:
            text = text_of(file)
        except UnicodeDecodeError:
            continue
        texts.append(text)
        if file.suffix == ".py":
            constants = (one for one in ast.walk(ast.parse(text)) if isinstance(one, ast.Constant))
            texts += [one.value for one in constants if isinstance(one.value, str)]
    return plain("\n".join(texts))


def plain(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_paths_exist(page: Path) -> None:
    named = set(paths_in(text_of(page)))
    assert len(named) > 20
    assert not {path for path in named if not there(path)}


# ---- the map -------------------------------------------------------------------------------------


def drawn(page: Path) -> dict[str, set[str]]:
    """Package → the folders and modules that the map shows in it."""
    picture = FENCED.findall(text_of(page))[0]
    shown: dict[str, set[str]] = {}
    package = ""
    for line in picture.splitlines():
        if heading := HEADING.match(line):
            package = heading["package"]
            shown[package] = set()
        elif package:
            shown[package] |= set(DRAWN.findall(line))
    return shown


@pytest.mark.parametrize("page", MAPS, ids=name)
@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_on_the_map(page: Path, package: str) -> None:
    folders = {f"{file.parent.name}/" for file in (ROOT / package).glob("*/__init__.py")}
    assert folders
    assert folders <= drawn(page)[package]


@pytest.mark.parametrize("page", MAPS, ids=name)
def test_what_the_map_shows_is_there(page: Path) -> None:
    shown = [f"{package}/{one}" for package, ones in drawn(page).items() for one in ones]
    assert len(shown) > 30
    assert not [path for path in shown if not there(path)]


def test_the_map_fits_a_screen() -> None:
    lines = FENCED.findall(text_of(MAPS[0]))[0].splitlines()
    assert len(lines) <= 50
    assert max(map(len, lines)) <= 110


# ---- how to add ----------------------------------------------------------------------------------

RECIPES = [
    pytest.param(recipe, id=f"{page.stem}: {re.findall('[^*]+', recipe)[0]}")
    for page in MAPS
    for recipe in re.findall(r"^\*\*.*?(?:\n\n|\Z)", text_of(page), re.MULTILINE | re.DOTALL)
]


def content_of(path: str) -> str:
    """What is in that file, or in all files that it stands for."""
    place = ROOT / path
    if "NAME" in path:
        return "".join(map(text_of, sorted(place.parent.glob(f"*{place.suffix}"))))
    if place.is_dir():
        return "".join(text_of(one) for one in sorted(place.glob("*")) if one.is_file())
    return text_of(place)


def test_there_are_recipes_in_both_languages() -> None:
    assert len(RECIPES) == 2 * 6


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_files_of_a_recipe_have_what_it_names(recipe: str) -> None:
    files = list(paths_in(recipe))
    assert len(files) >= 5
    content = "".join(map(content_of, files))
    named = [span for span in SPAN.findall(recipe) if NAME.fullmatch(span) and span not in files]
    parts = [part for span in named for part in span.strip("@:").split(".")]
    assert not [part for part in parts if not re.search(rf"\b{part}\b", content)]


# ---- decisions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("page", DECISIONS, ids=name)
def test_each_decision_has_a_reason_and_a_commit(page: Path) -> None:
    decisions = list(rows_of(page, cells=4))
    assert len(decisions) > 50
    assert not [row for row in decisions if not all(row) or not SINCE.fullmatch(row[3])]


def test_both_languages_have_the_same_decisions() -> None:
    ours, theirs = ([row[3] for row in rows_of(page, cells=4)] for page in DECISIONS)
    assert ours == theirs


# ---- quirks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", QUIRKS, ids=name)
def test_each_quirk_is_whole(page: Path) -> None:
    tables = [line for line in text_of(page).splitlines() if line.startswith("|")]
    assert not [line for line in tables if line.count("|") != 6]
    quirks = list(rows_of(page, cells=5))
    assert len(quirks) > 100
    assert not [row for row in quirks if not all(row)]
    assert not [row for row in quirks if not list(paths_in(row[4]))]


@pytest.mark.parametrize("page", QUIRKS, ids=name)
def test_texts_of_symptoms_can_be_searched_for(page: Path) -> None:
    texts = {span for row in rows_of(page, cells=5) for span in SPAN.findall(row[0])}
    assert {
        "Failed to retrieve PID of executing child process",
        "assignment to entry in nil map",
        "requires bridge netfilter",
    } <= texts
    assert not {text for text in texts if plain(text) not in repository()}


def test_both_languages_have_the_same_quirks() -> None:
    ours, theirs = (
        [(sorted(SPAN.findall(row[0])), SPAN.findall(row[4])) for row in rows_of(page, cells=5)]
        for page in QUIRKS
    )
    assert ours == theirs


def test_faults_that_code_names_by_number_are_among_the_quirks() -> None:
    issues = set(re.findall(r"canonical/[a-z-]+#\d+", repository()))
    assert issues
    for page in QUIRKS:
        assert issues == set(re.findall(r"canonical/[a-z-]+#\d+", text_of(page)))


# ---- language ------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [MAPS[0], DECISIONS[0], QUIRKS[0]], ids=name)
def test_words_are_plain(page: Path) -> None:
    assert RIDDLES.findall(text_of(page)) == []
