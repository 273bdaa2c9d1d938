"""Text of a user's container on an admin's terminal: by the commands that look it is not obeyed."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from commands import containers, drivers, host
from host.machine import Machine
from lab.errors import LxdError
from tests.support.builders.driven import settings, smi
from tests.support.fake_lxd.lxd import FakeLxd

OWNED = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e"
_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

LOOKING: dict[str, Callable[[], None]] = {
    "list": lambda: containers.list_containers(Context()),
    "list --json": lambda: containers.list_containers(Context(), json=True),
    "show": lambda: containers.show(Context(), "ben"),
    "drivers": lambda: drivers.drivers(Context()),
    "drivers --json": lambda: drivers.drivers(Context(), json=True),
    "sync-drivers --plan": lambda: drivers.sync_drivers(Context(), plan=True),
    "host.check.check": lambda: host.check(Context()),
    "host.check.check --json": lambda: host.check(Context(), json=True),
}


@pytest.fixture
def hostile(driven: FakeLxd, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """LXD quotes what ben's files are called, and on ann's GPU works what ann calls so."""

    def refuse(name: str, path: str) -> tuple[str, ...]:
        if name == "ben":
            raise LxdError(
                f"LXD would not list {path}.", details=f"{path}/{OWNED} is no directory."
            )
        return FakeLxd.list_directory(driven, name, path)

    def fail(name: str) -> object:
        if name == "ben":
            raise LxdError(f"LXD would not tell how ben is: {OWNED}")
        return FakeLxd.state(driven, name)

    monkeypatch.setattr(driven, "list_directory", refuse)
    monkeypatch.setattr(driven, "state", fail)
    smi(driven).busy["ann"] = f"{OWNED} (4711)\n"
    for commands in (containers, drivers, host):
        monkeypatch.setattr(commands, "read_settings", settings)
        monkeypatch.setattr(commands, "connect_to", lambda _settings: driven)
    monkeypatch.setattr(host, "this_machine", lambda: machine)


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize("command", LOOKING)
def test_it_is_seen_and_not_obeyed(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with suppress(Exit):
        LOOKING[command]()
    said = "".join(capsys.readouterr())
    # However it is escaped.
    assert "9b31m" in said.replace("\n", "")
    assert _OBEYED.findall(said) == []
