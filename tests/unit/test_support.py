"""What tests share lies in tests/support/; no kind of tests imports from another kind."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
KINDS = ("unit", "contract", "live")


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{one.name}" for one in node.names)


def test_no_kind_imports_from_another() -> None:
    paths = sorted(TESTS.rglob("*.py"))
    assert len(paths) > 100
    crossing = [
        f"{path.relative_to(TESTS)}: {name}"
        for path in paths
        for name in _imports(path)
        if name.startswith(tuple(f"tests.{kind}." for kind in KINDS))
        and not name.startswith(f"tests.{path.relative_to(TESTS).parts[0]}.")
    ]
    assert crossing == []
