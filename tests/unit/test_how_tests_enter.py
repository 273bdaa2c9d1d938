"""Tests enter containers in one place: LXD 5.0.2 at times cannot, and its client loses words."""

from __future__ import annotations

import ast
import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.live_lab import lab

TESTS = Path(__file__).resolve().parents[1]
# `at_work` reads on while it runs, and tries again by itself.
BY_ITSELF = {"tests/live/test_neighbours.py"}


def _enters(node: ast.AST) -> bool:
    """`["lxc", …, "exec", …]`: a client of its own."""
    if not isinstance(node, ast.List):
        return False
    words = [one.value for one in node.elts if isinstance(one, ast.Constant)]
    return words[:1] == ["lxc"] and "exec" in words


def test_nobody_else_does() -> None:
    paths = sorted(TESTS.rglob("*.py"))
    assert len(paths) > 100
    entering = {
        str(path.relative_to(TESTS.parent))
        for path in paths
        if any(_enters(node) for node in ast.walk(ast.parse(path.read_text())))
    }
    assert entering == BY_ITSELF


@pytest.mark.parametrize(
    ("refusals", "code"), [(0, 0), (3, 0), (9, 1)], ids=["at once", "in the end", "never"]
)
def test_it_is_tried_again(
    refusals: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = tmp_path / "tries"
    client = tmp_path / "lxc"
    logs = tmp_path / "logs" / "bob"
    logs.mkdir(parents=True)
    for number, text in (("1", "said\n"), ("2", "")):
        (logs / f"exec.{number}").write_text(text)
    output = {number: f"/1.0/instances/bob/logs/exec.{number}" for number in ("1", "2")}
    operation = json.dumps({"metadata": {"output": output, "return": 0}})
    client.write_text(
        f"#!/bin/sh\ncase $* in *DELETE*) exit ;; esac\necho >>{tries}\n"
        f"[ $(wc -l <{tries}) -gt {refusals} ] && echo '{operation}' && exit 0\n"
        f"echo 'Error: {lab.NOT_ENTERED}' >&2\nexit 1\n"
    )
    client.chmod(0o755)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin", "LXD_DIR": str(tmp_path)}
    ended: subprocess.CompletedProcess[str] = lab.lxc_ended(
        "exec", "bob", "--", "true", environ=environ
    )
    assert (ended.returncode, ended.stdout) == (code, "" if code else "said\n")
    assert len(tries.read_text().splitlines()) == min(refusals + 1, 4)
