"""The commands of tasks.py, and `labstamp` as far as it is decided before a task runs."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import pytest
from invoke.collection import Collection

from commands.program import Labstamp

_ROOT = Path(__file__).resolve().parents[3]


@cache
def namespace() -> Collection:
    spec = importlib.util.spec_from_file_location("labstamp_tasks", _ROOT / "tasks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Collection = module.namespace
    return found


class Unexecuted(Labstamp):
    """Runs no task, whatever is typed."""

    def execute(self) -> None:
        raise AssertionError(f"would run: {self.argv}")


Said = tuple[int, str, str]


def said_by_labstamp(capsys: pytest.CaptureFixture[str], line: str) -> Said:
    """The exit code, stdout and stderr of `labstamp LINE`, which ends before a task runs."""
    with pytest.raises(SystemExit) as ended:
        Unexecuted(namespace()).run(["labstamp", *line.split()])
    captured = capsys.readouterr()
    return int(str(ended.value.code or 0)), captured.out, captured.err
