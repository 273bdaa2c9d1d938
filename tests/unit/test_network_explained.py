"""What provisioning and building say of the network when it is in their way, and when not."""

from __future__ import annotations

import pytest

from commands import network
from host.finding import Finding, Status
from lab.errors import InputError, LxdError, NoNetwork
from lab.report import Silent
from lab.settings.settings import Settings
from tests.support.fake_lxd.lxd import FakeLxd

BLOCKED = Finding(
    name="network-firewall",
    subject="lxdbr0",
    status=Status.FAIL,
    found="ufw drops DHCP requests of containers",
    fix="ufw allow in on lxdbr0",
)


class Tape(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def fails(error: Exception, *obstacles: Finding) -> list[str]:
    """What is said before ERROR is raised where OBSTACLES are found."""
    tape = Tape()
    with (
        pytest.raises(type(error)),
        network.explained(FakeLxd(), Settings(), tape, find=lambda *_: obstacles),
    ):
        raise error
    return tape.said


@pytest.mark.parametrize("kind", [LxdError, NoNetwork])
def test_the_cause_is_said_at_once_and_with_the_failure(kind: type[LxdError]) -> None:
    error = kind("bob got no address within 60 s.", details="Inside: eth0", fix="look")
    assert fails(error, BLOCKED) == [
        "The network lxdbr0: ufw drops DHCP requests of containers. Fix: ufw allow in on lxdbr0"
    ]
    assert str(error) == (
        "bob got no address within 60 s.\n"
        "  Inside: eth0\n"
        "  The network lxdbr0: ufw drops DHCP requests of containers\n"
        "Next: ufw allow in on lxdbr0\n"
        "      look"
    )


def test_where_nothing_is_in_the_way_nothing_is_said() -> None:
    error = LxdError("bob got no address within 60 s.", fix="look")
    assert fails(error) == []
    assert str(error) == "bob got no address within 60 s.\nNext: look"


def test_a_wrong_argument_is_not_the_networks_fault() -> None:
    error = InputError("--cpus x: a whole number is wanted")
    fails(error, BLOCKED)
    assert str(error) == "--cpus x: a whole number is wanted"


def test_a_host_that_cannot_be_looked_at_keeps_nobody_from_working() -> None:
    def broken(*_: object) -> tuple[Finding, ...]:
        raise LxdError("no networks")

    with network.explained(FakeLxd(), Settings(), Silent(), find=broken):
        done = True
    assert done
