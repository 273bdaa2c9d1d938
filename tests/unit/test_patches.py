"""Tests pass what the product takes from outside as arguments; they replace nothing of its own.

A path in a string is found by no type checker and no search for the name, and a private name is
nobody's promise. Parts of the standard library and of the fakes may be replaced.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
OURS = frozenset({"commands", "host", "images", "lab", "provision", "tasks"})
PATCHING = frozenset({"setattr", "delattr", "setitem", "delitem", "patch"})
"""Of `pytest.MonkeyPatch`, and `unittest.mock.patch`."""


def _imported(tree: ast.AST) -> Mapping[str, str]:
    """Local name → where it comes from, with dots."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {one.asname or one.name.split(".")[0]: one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    return found


def _is_ours(dotted: str) -> bool:
    return dotted.partition(".")[0] in OURS


def _patched(call: ast.Call) -> tuple[ast.expr, str] | None:
    """What CALL replaces something of, and the name of that something."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)
    if name not in PATCHING or not call.args:
        return None
    named = call.args[1] if len(call.args) > 1 else None
    return call.args[0], str(named.value) if isinstance(named, ast.Constant) else ""


def _faults(source: str) -> Iterator[str]:
    tree = ast.parse(source)
    origin = _imported(tree)
    for node in ast.walk(tree):
        found = _patched(node) if isinstance(node, ast.Call) else None
        if found is None:
            continue
        target, name = found
        text = ast.unparse(target)
        if isinstance(target, ast.JoinedStr):
            yield f"{text}: a path that is put together"
        elif isinstance(target, ast.Constant) and isinstance(target.value, str):
            if _is_ours(target.value):
                yield f"{text}: a path in a string"
        elif _is_ours(origin.get(text.split(".")[0], "")):
            private = [part for part in (*text.split(".")[1:], name) if part.startswith("_")]
            if private:
                yield f"{text}: the private name {private[0]}"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('m.setattr("lab.wait.poll", f)', "'lab.wait.poll': a path in a string"),
        ('mock.patch("host.gpus.gpus")', "'host.gpus.gpus': a path in a string"),
        ('m.setattr(f"{module}.poll", f)', "f'{module}.poll': a path that is put together"),
        ('m.setattr(wait, "_SECONDS", 1)', "wait: the private name _SECONDS"),
        ('m.setitem(wait._waits, "x", 1)', "wait._waits: the private name _waits"),
        ('m.setattr("os.geteuid", f)', None),
        ('m.setattr(wait, "poll", f)', None),
        ('m.setattr(lxd, "start", f)', None),
        ('m.setattr(FakeCalls, "_do", f)', None),
        ("m.setattr(wait, name, f)", None),
    ],
)
def test_what_is_refused(line: str, fault: str | None) -> None:
    imports = ("from lab import wait", "from tests.support.fake_lxd.store import FakeCalls")
    assert list(_faults("\n".join((*imports, line)))) == ([fault] if fault else [])


def test_no_test_replaces_what_is_private_or_named_in_a_string() -> None:
    paths = sorted(TESTS.rglob("*.py"))
    assert len(paths) > 100
    found = [
        f"{path.relative_to(TESTS.parent)}: {fault}"
        for path in paths
        for fault in _faults(path.read_text(encoding="utf-8"))
    ]
    assert found == []
