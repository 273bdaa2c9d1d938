"""A user is root in his container, and still has no address but his own on the network."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.wait import poll
from tests.live.lab import Lab, lxc, query, ssh
from tests.live.making import PREFIX
from tests.live.removing import remove_instance

Pair = tuple[dict[str, Any], dict[str, Any]]

ROGUE = Path(__file__).with_name("rogue.py")
ATTACKS = {"other MAC", "neighbour's address", "gateway's address", "claim", "router"}
# LXD filters who a packet is from, not what it says.
PASSES = {"own address", "DHCP"}
BUILDER = "lt-build"


@pytest.fixture(scope="module")
def armed(pair: Pair) -> Pair:
    for name in ("lt-ann", "lt-ben"):
        lxc("file", "push", str(ROGUE), f"{name}/root/rogue.py")
    return pair


def heard(pair: Pair) -> set[str]:
    """The kinds of frames that ann gets of what ben sends."""
    argv = ["lxc", "-q", "exec", "lt-ann", "--", "python3", "/root/rogue.py", "hear", "2"]
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as listening:
        assert listening.stdout is not None
        assert listening.stdout.readline() == "listening\n"
        gateway = _default_routes("-4")[0]
        sent = ("python3", "/root/rogue.py", "send", pair[0]["ipv4"][0], gateway)
        lxc("exec", "lt-ben", "--", *sent)
        out, _ = listening.communicate(timeout=60)
    return set(out.splitlines())


def _default_routes(family: str) -> list[str]:
    """Ann's."""
    said = lxc("exec", "lt-ann", "--", "ip", family, "route", "show", "default")
    return [line.split()[2] for line in said.splitlines()]


def test_what_ben_sends_in_the_name_of_others_reaches_nobody(
    armed: Pair, key: Path, lab: Lab
) -> None:
    ann = armed[0]["ipv4"][0]
    routes = _default_routes("-4")
    lxc("exec", "lt-ben", "--", "ip", "address", "add", f"{ann}/24", "dev", "eth0")
    try:
        assert heard(armed) == PASSES
        # The host goes on knowing ann where she is, and she her gateway.
        assert ssh(ann, "lt-ann", key, ["hostname"]).out == "lt-ann\n"
        assert _default_routes("-4") == routes
        assert _default_routes("-6") == []
        mac = query("/1.0/instances/lt-ben")["config"]["volatile.eth0.hwaddr"]
        assert mac not in lxc("exec", "lt-ann", "--", "ip", "neighbour", "show", routes[0])
    finally:
        lxc("exec", "lt-ben", "--", "ip", "address", "del", f"{ann}/24", "dev", "eth0")


def test_a_container_from_before_is_named_with_the_command_that_filters_it(
    armed: Pair, lab: Lab
) -> None:
    with _as_before():
        # With the filters gone all of it arrives: that is what the test above notices.
        assert heard(armed) == PASSES | ATTACKS
        found = _filters(lab)
        assert found["subject"] == "lt-ben"
        assert (found["status"], found["found"]) == ("warn", "it can take the addresses of others")
        subprocess.run(
            ["bash", "-c", found["fix"]],
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )
        assert _filters(lab)["status"] == "ok"
        assert heard(armed) == PASSES


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


def test_builders_are_out_of_reach(armed: Pair, lab: Lab) -> None:
    every = lab.invoke("host.check", "--json").document["checks"]
    (bridge,) = [one["subject"] for one in every if one["name"] == "builders-network"]
    remove_instance(BUILDER)
    try:
        lxc("launch", f"{PREFIX}/base", BUILDER, "--network", bridge)
        address = _address(BUILDER)
        poll(lambda: _opens(address) or None, what="its ssh", timeout=60)
        # The same question from ben, who is routed by the host.
        script = f"exec 3<>/dev/tcp/{address}/22"
        asked = subprocess.run(
            ["lxc", "-q", "exec", "lt-ben", "--", "timeout", "5", "bash", "-c", script],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (asked.returncode, "Connection refused" in asked.stderr) == (1, True), asked.stderr
    finally:
        remove_instance(BUILDER)


def _opens(address: str) -> bool:
    script = f"exec 3<>/dev/tcp/{address}/22"
    argv = ["timeout", "5", "bash", "-c", script]
    ended = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return ended.returncode == 0
