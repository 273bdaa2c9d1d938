"""A user is root in his container, and still has no address but his own on the network."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.lxd.client import connect
from lab.lxd.port import Lxd
from lab.wait import poll
from tests.support.live_lab.lab import Lab, lxc, query, ssh
from tests.support.live_lab.making import PREFIX
from tests.support.live_lab.removing import remove_instance

pytestmark = pytest.mark.plain

Pair = tuple[dict[str, Any], dict[str, Any]]

ROGUE = Path(__file__).with_name("rogue.py")
ATTACKS = {"other MAC", "neighbour's address", "gateway's address", "claim", "router"}
# LXD filters who a packet is from, not what it says.
PASSES = {"own address", "DHCP"}
BUILDER = "lt-build"


LISTEN = """\
rm -f /run/heard; python3 /root/rogue.py hear 2 >/run/heard 2>&1 </dev/null &
until grep -qx listening /run/heard; do sleep 0.1; done"""
ANSWER = "until grep -qx over /run/heard; do sleep 0.1; done; cat /run/heard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Ann and Ben, through LXD: what is tried here may cut off whoever comes over the network."""

    lxd: Lxd
    ann: str
    """Her address."""

    def runs(self, who: str, script: str) -> str:
        """What SCRIPT says, run as root in `ann` or `ben`."""
        said = self.lxd.run(f"lt-{who}", ["sh", "-c", script])
        assert said.exit_code == 0, said.stderr
        return said.stdout

    def routes(self, family: str) -> list[str]:
        """Of ann."""
        said = self.runs("ann", f"ip {family} route show default")
        return [line.split()[2] for line in said.splitlines()]

    def heard(self) -> set[str]:
        """The kinds of frames that ann gets of what ben sends."""
        (gateway,) = self.routes("-4")
        self.runs("ann", LISTEN)
        self.runs("ben", f"python3 /root/rogue.py send {self.ann} {gateway}")
        return set(self.runs("ann", ANSWER).splitlines()) - {"listening", "over"}


@pytest.fixture(scope="module")
def neighbours(pair: Pair) -> Neighbours:
    for name in ("lt-ann", "lt-ben"):
        lxc("file", "push", str(ROGUE), f"{name}/root/rogue.py")
    return Neighbours(lxd=connect(), ann=pair[0]["ipv4"][0])


def test_what_ben_sends_in_the_name_of_others_reaches_nobody(
    neighbours: Neighbours, key: Path
) -> None:
    ann = neighbours.ann
    routes = neighbours.routes("-4")
    neighbours.runs("ben", f"ip address add {ann}/24 dev eth0")
    try:
        assert neighbours.heard() == PASSES
        # The host goes on knowing ann where she is, and she her gateway.
        assert ssh(ann, "lt-ann", key, ["hostname"]).out == "lt-ann\n"
        assert (neighbours.routes("-4"), neighbours.routes("-6")) == (routes, [])
        mac = query("/1.0/instances/lt-ben")["config"]["volatile.eth0.hwaddr"]
        assert mac not in neighbours.runs("ann", f"ip neighbour show {routes[0]}")
    finally:
        neighbours.runs("ben", f"ip address del {ann}/24 dev eth0")


def test_a_container_from_before_is_named_with_the_command_that_filters_it(
    neighbours: Neighbours, lab: Lab
) -> None:
    with _as_before():
        # With the filters gone all of it arrives: that is what the test above notices.
        assert neighbours.heard() == PASSES | ATTACKS
        found = _filters(lab)
        assert found["subject"] == "lt-ben"
        assert (found["status"], found["found"]) == (
            "warn",
            "it can use the addresses of other containers",
        )
        subprocess.run(
            ["bash", "-c", found["fix"]],
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )
        assert _filters(lab)["status"] == "ok"
        assert neighbours.heard() == PASSES


def _filters(lab: Lab) -> dict[str, Any]:
    every = lab.invoke("host.check", "--json").document["checks"]
    (found,) = [one for one in every if one["name"] == "network-filters"]
    return dict(found)


@contextmanager
def _as_before() -> Iterator[None]:
    """Ben's NIC is the profile's, as earlier versions left it."""
    own = query("/1.0/instances/lt-ben")["devices"]["eth0"]
    keys = [f"{key}={value}" for key, value in own.items() if key.startswith("security.")]
    lxc("config", "device", "remove", "lt-ben", "eth0")
    try:
        _address("lt-ben")
        yield
    finally:
        if "eth0" not in query("/1.0/instances/lt-ben")["devices"]:
            lxc("config", "device", "override", "lt-ben", "eth0", *keys)


def _address(name: str) -> str:
    def address() -> str | None:
        network = query(f"/1.0/instances/{name}/state")["network"] or {}
        found = network.get("eth0", {}).get("addresses", [])
        return next((one["address"] for one in found if one["family"] == "inet"), None)

    return poll(address, what="an address", timeout=60)


def test_builders_are_out_of_reach(neighbours: Neighbours, lab: Lab) -> None:
    every = lab.invoke("host.check", "--json").document["checks"]
    (bridge,) = [one["subject"] for one in every if one["name"] == "builders-network"]
    remove_instance(BUILDER)
    try:
        lxc("launch", f"{PREFIX}/base", BUILDER, "--network", bridge)
        address = _address(BUILDER)
        poll(lambda: _opens(address) or None, what="its ssh", timeout=60)
        # The same question from ben, who is routed by the host.
        question = f"timeout 5 bash -c 'exec 3<>/dev/tcp/{address}/22' 2>&1 || true"
        assert "Connection refused" in neighbours.runs("ben", question)
    finally:
        remove_instance(BUILDER)


def _opens(address: str) -> bool:
    script = f"exec 3<>/dev/tcp/{address}/22"
    argv = ["timeout", "5", "bash", "-c", script]
    ended = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return ended.returncode == 0


def test_port_isolation_parts_them_altogether(neighbours: Neighbours) -> None:
    """The last one here: their NICs are plugged in anew, as the setting would have it."""
    for name in ("lt-ann", "lt-ben"):
        lxc("config", "device", "set", name, "eth0", "security.port_isolation=true")
        _address(name)
    poll(lambda: neighbours.routes("-4") or None, what="ann's route", timeout=60)
    assert neighbours.heard() == set()
    assert _opens(neighbours.ann)
