"""What no unit test may do by accident, and what several begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import lock
from lab.rdp import Greeting
from tests.unit.carried import V, export
from tests.unit.releases import Shelf


@pytest.fixture(autouse=True)
def _no_desktop_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Provisioning would speak RDP to the addresses that a fake made up."""

    def greet(_address: str, _port: int, *, timeout: float) -> Greeting:
        assert timeout > 0
        return Greeting(version="TLSv1.3", certificate="00")

    monkeypatch.setattr("provision.ready.greet", greet)


@pytest.fixture(autouse=True)
def _own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever runs on this machine meanwhile."""
    monkeypatch.setattr(lock, "_RUN_LOCK", tmp_path)


@pytest.fixture
def shelf() -> Shelf:
    """A lab with one release of base."""
    shelf = Shelf()
    shelf.build(V, packages={"curl": "7.88"})
    return shelf


@pytest.fixture
def exported(shelf: Shelf, tmp_path: Path) -> Path:
    """That release as a file."""
    path = tmp_path / "base.labstamp"
    export(shelf, path)
    return path
