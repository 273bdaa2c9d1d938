"""What tests share lies in tests/support/; no kind of tests imports from another kind."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.builders.stamping import a_lab, bob, stamp
from tests.support.fake_lxd.store import FakeInstance

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


def test_the_lxd_in_memory_is_listed_beside_changes() -> None:
    """Builds ask it from several threads."""
    lxd = a_lab()
    stamp(lxd, bob())
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def change() -> None:
        for number in range(2000):
            key = ("default", f"other-{number % 20}")
            lxd.store.instances[key] = FakeInstance(profiles=("default",))
            lxd.store.instances.pop(("default", f"other-{(number + 7) % 20}"), None)

    try:
        with ThreadPoolExecutor(max_workers=1) as pool:
            changing = pool.submit(change)
            while not changing.done():
                assert [one.used_by for one in lxd.volumes("default")] == [("bob",)]
            changing.result()
    finally:
        sys.setswitchinterval(usual)
