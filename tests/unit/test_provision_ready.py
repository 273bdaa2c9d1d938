"""When a container counts as ready."""

from __future__ import annotations

import socket
import threading

import pytest

from lab.errors import LxdError
from lab.instances.addresses import AddressWatch
from lab.instances.boot import NoAddress, wait_for_cloud_init
from lab.lxd.model import Completed, Network, State
from lab.rdp import Greeting
from lab.report import Silent
from provision.create.ready import (
    SshProbe,
    probe_ssh,
    wait_for_address,
    wait_for_desktop,
    wait_for_ssh,
    wait_until_up,
)
from tests.support.builders.stamping import banner, hasty
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeInstance

LISTENS = "  sl  local_address rem_address   st\n   0: 00000000:0016 00000000:0000 0A 0 0\n"
CONNECTED = LISTENS.replace(" 0A ", " 01 ")


def greeting(text: bytes) -> SshProbe:
    """What `probe_ssh` makes of a server that greets with TEXT."""
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]

    def greet() -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(text)

    thread = threading.Thread(target=greet)
    thread.start()
    found = probe_ssh("127.0.0.1", port)
    thread.join()
    server.close()
    assert probe_ssh("127.0.0.1", port) is SshProbe.CLOSED
    return found


def test_knocking() -> None:
    assert greeting(b"SSH-2.0-OpenSSH_9.2p1\r\n") is SshProbe.BANNER
    assert greeting(b"") is SshProbe.CLOSED
    assert probe_ssh("no such host") is SshProbe.UNREACHABLE


def running(table: str) -> FakeLxd:
    lxd = FakeLxd()
    lxd.store.instances["default", "bob"] = FakeInstance(state=State.RUNNING)
    lxd.on_run = lambda *_: Completed(exit_code=0, stdout=table, stderr="")
    return lxd


def unreachable(address: str) -> SshProbe:
    return SshProbe.UNREACHABLE


def test_where_the_host_cannot_reach_it_port_22_is_looked_at_from_inside() -> None:
    wait_for_ssh(running(LISTENS), "bob", "x", Silent(), timeouts=hasty(), probe_ssh=unreachable)
    lxd = running(CONNECTED)
    with pytest.raises(LxdError, match="did not answer within 60 s"):
        wait_for_ssh(lxd, "bob", "x", Silent(), timeouts=hasty(), probe_ssh=unreachable)


class Told(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def answering(*answers: SshProbe) -> tuple[list[str], list[SshProbe]]:
    """What is said, and which of ssh's ANSWERS are left, when the wait is over."""
    lxd, report, left = running(""), Told(), list(answers)
    lxd.store.instances["default", "bob"].address = "10.7.7.9"
    lxd.on_run = nothing_runs

    def probe(_: str) -> SshProbe:
        return left.pop(0) if left else SshProbe.CLOSED

    assert wait_until_up(lxd, "bob", report, timeouts=hasty(), probe_ssh=probe) == "10.7.7.9"
    return report.said, left


def nothing_runs(*_: object) -> Completed:
    raise AssertionError("a command was run inside")


def test_a_start_waits_for_ssh_and_runs_nothing_inside() -> None:
    closed, banner = SshProbe.CLOSED, SshProbe.BANNER
    assert answering(closed, closed, banner, closed) == ([], [closed])
    # On another server: nobody here can reach it, or see its sockets.
    assert answering(SshProbe.UNREACHABLE, closed) == ([], [closed])
    assert answering() == (
        [
            "bob: runs, but ssh did not answer within 60 s. "
            "Look at its service: lxc exec bob -- systemctl status ssh"
        ],
        [],
    )


def plugged_into(nic: dict[str, str], network: Network | None = None) -> FakeLxd:
    lxd = running("lo UNKNOWN 127.0.0.1/8\neth0@if9   UP   fe80::1/64\n")
    lxd.store.instances["default", "bob"].devices["eth0"] = {"type": "nic", **nic}
    if network is not None:
        lxd.store.networks[network.name] = network
    return lxd


LAN = "Check the DHCP server of br-lan, or leave `network:` out of lab.yaml to use a bridge of "
OURS = Network(name="lxdbr7", type="bridge", managed=True, config={"ipv4.address": "10.7.7.1/24"})


@pytest.mark.parametrize(
    ("nic", "network", "told"),
    [
        (
            {"nictype": "bridged", "parent": "br-lan"},
            Network(name="br-lan", type="bridge", managed=False),
            "  It is connected to br-lan, which LXD does not manage, and no DHCP server of that "
            "network answered.\n  Inside: eth0@if9 UP fe80::1/64\n"
            f"Next: {LAN}LXD.",
        ),
        (
            {"network": "lxdbr7"},
            OURS,
            "  It is connected to lxdbr7, where LXD gives addresses of 10.7.7.1/24, by DHCP.\n"
            "  Inside: eth0@if9 UP fe80::1/64\n"
            "Next: Find the cause, as root: invoke host.check",
        ),
    ],
)
def test_a_container_without_an_address(nic: dict[str, str], network: Network, told: str) -> None:
    lxd = plugged_into(nic, network)
    with pytest.raises(LxdError) as error:
        wait_for_address(lxd, "bob", Silent(), timeouts=hasty())
    assert str(error.value) == f"bob got no address within 60 s.\n{told}"


def test_a_first_boot_without_an_address_is_not_waited_for_longer() -> None:
    """cloud-init waits for the network, and networkd for two minutes."""
    lxd = plugged_into({"network": "lxdbr7"}, OURS)
    lxd.on_run = lambda *_: Completed(exit_code=0, stdout="\n0\n", stderr="")
    with pytest.raises(NoAddress, match="bob got no address within 0 s"):
        wait_for_cloud_init(lxd, "bob", timeout=600, address_within=0)


def test_nobody_watches_for_an_address_where_there_is_one_or_no_network() -> None:
    lxd = plugged_into({"network": "lxdbr7"}, OURS)
    lxd.store.instances["default", "bob"].address = "10.7.7.9"
    assert not AddressWatch(lxd, "bob", within=0).too_late()
    del lxd.store.instances["default", "bob"].devices["eth0"]
    lxd.store.instances["default", "bob"].address = ""
    assert not AddressWatch(lxd, "bob", within=0).too_late()


def test_a_container_that_dies_at_once() -> None:
    lxd = running("")
    lxd.store.instances["default", "bob"].state = State.STOPPED
    with pytest.raises(LxdError) as error:
        wait_for_address(lxd, "bob", Silent(), timeouts=hasty())
    assert str(error.value) == (
        "bob stopped while it was starting.\nNext: Look at its console: lxc console bob --show-log"
    )


def refused(address: str, port: int, /, *, timeout: float) -> Greeting:
    raise ConnectionRefusedError


def test_a_desktop_that_never_greets_is_told() -> None:
    with pytest.raises(LxdError) as error:
        wait_for_desktop(
            "bob", "x", 3389, Silent(), timeouts=hasty(), probe_ssh=banner, greet=refused
        )
    assert str(error.value) == (
        "The desktop of bob (x:3389) did not answer RDP within 60 s.\n"
        "Next: Look at its services: lxc exec bob -- systemctl status xrdp xrdp-sesman"
    )


def test_a_desktop_that_nobody_here_reaches_is_not_waited_for() -> None:
    unreachable = lambda _: SshProbe.UNREACHABLE  # noqa: E731
    wait_for_desktop("bob", "x", 3389, Silent(), timeouts=hasty(), probe_ssh=unreachable)
