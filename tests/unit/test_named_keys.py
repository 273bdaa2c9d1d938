"""Every settings key that a message names is one that the parser takes.

Messages write keys in backquotes, from the top of their file: `driver: {version: …}`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from images.templates.catalog import Definition
from images.templates.distro import Distro
from lab.settings.settings import Settings
from lab.yaml.load import examine
from lab.yaml.tree import parse_tree

ROOT = Path(__file__).parents[2]
WINGS = ("lab", "images", "provision", "host", "commands")
# What else is quoted beside a file's name: commands, and LXD's own words.
_OTHER = re.compile(r"(invoke|lxc|sudo) .*|local")
# Values of templates and of models, which have Python's names.
_FROM_PYTHON = {
    "images/remote_inputs.py",
    "images/templates/validate.py",
    "images/templates/cloud_config.py",
    "images/build/targets.py",
    "lab/settings/projects.py",
}


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """The texts in a module that are not documentation; what they are filled with is an x."""
    tree = ast.parse(path.read_text())
    known = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            known |= {id(value) for value in node.values}
            parts = [v.value if isinstance(v, ast.Constant) else "x" for v in node.values]
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and id(node) not in known:
            yield node.lineno, str(node.value)


def named(text: str) -> Iterator[str]:
    """What TEXT quotes as a piece of a file."""
    for span in re.findall(r"`([^`]+)`", text):
        if re.match(r"[\w-]+:", span) or ("lab.yaml" in text and not _OTHER.fullmatch(span)):
            yield span


MESSAGES = [
    (f"{path.relative_to(ROOT)}:{line}", text, span)
    for wing in WINGS
    for path in sorted((ROOT / wing).rglob("*.py"))
    for line, text in texts(path)
    for span in named(text)
]


def unknown(text: str, model: type[BaseModel]) -> list[str]:
    """What the parser says of keys in a file of this TEXT that it does not know."""
    tree = parse_tree(text if ":" in text else f"{text}:", Path("file"))
    assert tree.value, f"not YAML: {text}"
    return [str(one) for one in examine(tree, model)[1] if "unknown key" in str(one)]


def test_there_are_such_messages() -> None:
    spans = {span for _, _, span in MESSAGES}
    assert {"client-certificate", "mirror:", "names:", "driver: {version: …}"} <= spans


@pytest.mark.parametrize(("place", "text", "span"), MESSAGES)
def test_the_parser_knows_what_a_message_names(place: str, text: str, span: str) -> None:
    model: type[BaseModel] = Settings
    if "images/distros/" in text:
        model = Distro
    elif "images/definitions/" in text:
        model = Definition
    assert unknown(span, model) == [], place


@pytest.mark.parametrize("span", ["client_certificate", "driver: {verison: x}", "build_project:"])
def test_one_that_it_does_not_know_is_found(span: str) -> None:
    assert unknown(span, Settings)


def test_no_message_has_a_key_by_its_name_in_python() -> None:
    """Neither quoted nor passed on to where a message is made: `client_key is set without …`."""
    wrong = {
        name: field.alias
        for name, field in Settings.model_fields.items()
        # `cloud_init` is also what LXD calls an extension.
        if field.alias not in {name, "cloud-init"}
    }
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for wing in WINGS
        for path in sorted((ROOT / wing).rglob("*.py"))
        if str(path.relative_to(ROOT)) not in _FROM_PYTHON
        for line, text in texts(path)
        for name in wrong
        # LXD's own keys have a prefix, as `security.port_isolation`.
        if re.search(rf"(?<![.\w]){name}\b", text)
    ]
    assert found == []
