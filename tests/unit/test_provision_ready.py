"""When a container counts as ready."""

from __future__ import annotations

import socket
import threading

import pytest

import provision.ready
from lab.errors import LxdError
from lab.lxd.model import Completed, State
from lab.report import Silent
from provision.ready import (
    Knock,
    knock,
    wait_for_address,
    wait_for_desktop,
    wait_for_ssh,
)
from tests.fake_lxd import FakeLxd
from tests.fake_store import FakeInstance
from tests.unit.stamping import hasty

LISTENS = "  sl  local_address rem_address   st\n   0: 00000000:0016 00000000:0000 0A 0 0\n"
CONNECTED = LISTENS.replace(" 0A ", " 01 ")


def greeting(text: bytes, monkeypatch: pytest.MonkeyPatch) -> Knock:
    """What `knock` makes of a server that greets with TEXT."""
    server = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setattr(provision.ready, "_SSH_PORT", server.getsockname()[1])

    def greet() -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(text)

    thread = threading.Thread(target=greet)
    thread.start()
    found = knock("127.0.0.1")
    thread.join()
    server.close()
    return found


def test_knocking(monkeypatch: pytest.MonkeyPatch) -> None:
    assert greeting(b"SSH-2.0-OpenSSH_9.2p1\r\n", monkeypatch) is Knock.BANNER
    assert greeting(b"", monkeypatch) is Knock.CLOSED
    assert knock("127.0.0.1") is Knock.CLOSED
    assert knock("no such host") is Knock.UNREACHABLE


def running(table: str) -> FakeLxd:
    lxd = FakeLxd()
    lxd.store.instances["default", "bob"] = FakeInstance(state=State.RUNNING)
    lxd.on_run = lambda *_: Completed(exit_code=0, stdout=table, stderr="")
    return lxd


def unreachable(address: str) -> Knock:
    return Knock.UNREACHABLE


def test_where_the_host_cannot_reach_it_port_22_is_looked_at_from_inside() -> None:
    wait_for_ssh(running(LISTENS), "bob", "x", Silent(), patience=hasty(), knock=unreachable)
    lxd = running(CONNECTED)
    with pytest.raises(LxdError, match="did not answer within 60 s"):
        wait_for_ssh(lxd, "bob", "x", Silent(), patience=hasty(), knock=unreachable)


def test_a_container_without_an_address() -> None:
    with pytest.raises(LxdError) as error:
        wait_for_address(running(""), "bob", Silent(), patience=hasty())
    assert str(error.value) == (
        "bob got no address within 60 s.\n"
        "Next: Look at the bridge and who has an address on it: lxc network list; lxc list"
    )


def test_a_container_that_dies_at_once() -> None:
    lxd = running("")
    lxd.store.instances["default", "bob"].state = State.STOPPED
    with pytest.raises(LxdError) as error:
        wait_for_address(lxd, "bob", Silent(), patience=hasty())
    assert str(error.value) == (
        "bob stopped while it was starting.\nNext: Look at its console: lxc console bob --show-log"
    )


def test_a_desktop_that_never_greets_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr("provision.ready.greet", refused)
    with pytest.raises(LxdError) as error:
        wait_for_desktop("bob", "x", 3389, Silent(), patience=hasty(), knock=lambda _: Knock.BANNER)
    assert str(error.value) == (
        "The desktop of bob (x:3389) did not answer RDP within 60 s.\n"
        "Next: Look at its services: lxc exec bob -- systemctl status xrdp xrdp-sesman"
    )


def test_a_desktop_that_nobody_here_reaches_is_not_waited_for() -> None:
    unreachable = lambda _: Knock.UNREACHABLE  # noqa: E731
    wait_for_desktop("bob", "x", 3389, Silent(), patience=hasty(), knock=unreachable)
