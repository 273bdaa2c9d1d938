"""What users read is plain English: half of them paste it into a translator."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("lab", "provision", "host", "commands", "images")

# What a reader with a translator gets nothing from → what says the same.
RIDDLES: Final = {
    r"(?:who|what|where)ever\b": "everybody who, everything that",
    r"in vain\b": "timed out",
    r"to be had\b": "not available",
    r"of (?:no )?use\b": "can (not) be used",
    r"nobody (?:tells|knows)\b": "it is not known",
    r"tells? of\b": "reports",
    r"without a word\b": "no output",
    r"(?:is|be|may|be still|are|was) at it\b": "is doing VERB",
    r"cut off at it\b": "interrupted",
    r"[Mm]end(?:s|ed)?\b": "fix, correct",
    r"anew\b": "again",
    r"(?:is|are) no (?!longer\b)\w+": "is not a",
    r"none of labstamp's\b": "not of labstamp",
    r"what was to\b": "VERB failed",
    r"in its way\b": "blocks it",
    r"gone for good\b": "no longer exists",
    r"for nobody\b": "not used",
    r"nobody we know\b": "not known",
    r"(?:of|from) before\b": "earlier, previous",
    r"(?:is|are) gone\b": "no longer exists, is missing",
    r"on top of it\b": "based on it",
    r"take the place of\b": "replace",
    r"insists? on\b": "requires",
    r"go(?:es)? past\b": "bypass",
    r"(?:keys?|that) lets? in\b": "can log in",
    r"drifts? from\b|[Nn]othing (?:can )?drifts?\b": "fits, does not fit",
    r"not taken\b": "not accepted, not used",
    r"once \w+ are many\b": "there are many",
    r"in case only\b": "in upper and lower case only",
    r"systemd does not run\b": "was not booted with systemd",
    r"Correct that,": "Correct the cause",
    r"differs? from its own\b": "has other options",
    r"as everybody's\b": "still belongs to",
    r"is wanted\b": "is needed",
    r"to be given\b": "give",
    r"[Ll]ook (?:whether|for what)\b": "check",
    r"[Ss]ee (?:that|whether|who|what)\b": "check, list",
}
PATTERN: Final = re.compile("|".join(rf"\b(?:{riddle})" for riddle in RIDDLES))
# `There is no file X.` says it plainly.
PLAIN: Final = re.compile(r"\b(?:[Tt]here|which|that) (?:is|are) no \w+")

COMMANDS: Final = (
    "apt-get",
    "apt-mark",
    "ci/",
    "docker",
    "echo",
    "export",
    "invoke",
    "lxc",
    "sudo",
)
# What is no verb: `The full log: …` does not say what to do with it.
NOUNS: Final = "A|An|If|It|Its|No|Nothing|That|The|This|Those"
BEGINNING: Final = re.compile(
    rf"(?!(?:{NOUNS})\b)[A-Z`{{]|--[a-z]|(?:{'|'.join(map(re.escape, COMMANDS))})"
)


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def docstrings(tree: ast.AST) -> Iterator[ast.AST]:
    """Strings that are statements of their own: nobody prints them."""
    yield from (
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def help_texts(source: str) -> Iterator[tuple[int, str]]:
    """The docstrings of commands: `invoke --list` and `--help` print them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            yield node.lineno, ast.get_docstring(node) or ""


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of every string; `{}` stands for each value of an f-string."""
    tree = ast.parse(source)
    parts = {
        id(part)
        for whole in ast.walk(tree)
        if isinstance(whole, ast.JoinedStr)
        for part in whole.values
    } | {id(node) for node in docstrings(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Constant) and id(node) not in parts
        ):
            yield from ((node.lineno, text) for text in [flat(node)] if text)


def flat(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(
            flat(part) if isinstance(part, ast.Constant) else "{}" for part in node.values
        )
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def riddles(source: str) -> Iterator[str]:
    for line, text in (*texts(source), *help_texts(source)):
        if " " in text and (found := PATTERN.search(PLAIN.sub("", text))):
            yield f"{line}: {found[0]!r} in {text!r}"


def fixes(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of what is passed as `fix=` to anything that is not a finding's command."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg == "fix":
            yield from (
                (one.lineno, text) for one in branches(node.value) for text in [flat(one)] if text
            )


def branches(node: ast.expr) -> Iterator[ast.expr]:
    """Both values of `A if … else B`."""
    if isinstance(node, ast.IfExp):
        yield from (*branches(node.body), *branches(node.orelse))
    else:
        yield node


@pytest.mark.parametrize("package", PACKAGES)
def test_no_text_is_a_riddle(package: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{riddle}"
        for path in sources()
        if path.relative_to(ROOT).parts[0] == package
        for riddle in riddles(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


def test_a_fix_begins_with_a_verb_or_is_a_command() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text!r}"
        for path in sources()
        for line, text in fixes(path.read_text(encoding="utf-8"))
        if not BEGINNING.match(text)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "Waited 60 s for an address of bob in vain.",
        "Driver {version} is not to be had from apt.",
        "--gpus {text} is no choice of GPUs.",
        "process 4711 on lab1 may be at it",
        "  mend it with: {fix}",
        "x is split, and of use by its parts only",
        "nobody tells that",
        "whoever filled it",
        "2 more keys let in",
        "Correct that, then run: invoke list",
        "Its GPU is gone.",
    ],
)
def test_the_next_riddle_is_caught(text: str) -> None:
    source = f'"""In vain."""\n\nsay(f"{text}")\n'
    assert [found.partition(":")[0] for found in riddles(source)] == ["3"]


@pytest.mark.parametrize(
    "text",
    [
        "There is no file {path}.",
        "It is no longer held.",
        "Fix: sudo reboot",
        "See README.",
        "nobody",
    ],
)
def test_plain_text_passes(text: str) -> None:
    assert not [*riddles(f'say(f"{text}")\n')]
    assert not [*riddles(f'def f():\n    """Mends it. {text}"""\n')]
    assert [*riddles('@command()\ndef f():\n    """Mends it."""\n')]


@pytest.mark.parametrize(
    ("text", "begins_well"),
    [
        ("Correct it: invoke list", True),
        ("`lxc list` shows it", True),
        ("invoke list", True),
        ("sudo reboot", True),
        ("check the log", False),
        ("on that server: lxc list", False),
        ("The full log: logs/base.log", False),
        ("If it is not needed: lxc image delete x", False),
    ],
)
def test_how_a_fix_begins(text: str, begins_well: bool) -> None:  # noqa: FBT001
    assert [text for _, text in fixes(f"fail(fix={text!r})")] == [text]
    assert bool(BEGINNING.match(text)) == begins_well


def test_both_branches_of_a_fix_are_read() -> None:
    assert [text for _, text in fixes('fail(fix="Wait." if busy else "invoke list")')] == [
        "Wait.",
        "invoke list",
    ]
