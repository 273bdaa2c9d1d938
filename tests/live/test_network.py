"""What keeps containers from an address: found, named, and mended by the command that is printed.

On a bridge of its own: builds may be going on beside this.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.instances.boot import NoAddress, wait_for_cloud_init
from lab.lxd.client import connect
from lab.wait import poll
from tests.support.live_lab.lab import Lab, lxc, query
from tests.support.live_lab.making import PREFIX
from tests.support.live_lab.removing import remove_instance

pytestmark = pytest.mark.plain

BRIDGE, SILENT, NAME = "ltbrnet", "ltbrlan", "lt-silent"
TABLE = "lttrial"
SOON = 5
"""Seconds instead of a minute."""


@pytest.fixture
def checked(tmp_path: Path) -> Iterator[Lab]:
    """A lab on a managed bridge of its own, on which all is well."""
    _remove()
    # LXD looks for a free subnet by itself, and on some machines finds none.
    addresses = ("ipv4.address=10.213.77.1/24", "ipv4.nat=true", "ipv6.address=none")
    lxc("network", "create", BRIDGE, *addresses)
    settings = tmp_path / "lab.yaml"
    settings.write_text(json.dumps({"network": BRIDGE}))
    yield Lab(settings=settings)
    _remove()


def _remove() -> None:
    nft("delete", "table", "inet", TABLE, check=False)
    if f"/1.0/networks/{BRIDGE}" in query("/1.0/networks"):
        lxc("network", "delete", BRIDGE)


def nft(*words: str, check: bool = True) -> None:
    subprocess.run(["nft", *words], check=check, capture_output=True, stdin=subprocess.DEVNULL)


def in_the_way(lab: Lab) -> list[dict[str, Any]]:
    every = lab.invoke("host.check", "--json").document["checks"]
    return [one for one in every if one["subject"] == BRIDGE and one["status"] != "ok"]


def mended_by(lab: Lab, fix: str) -> bool:
    """Whether FIX, typed as it stands, leaves nothing in the way."""
    subprocess.run(
        ["bash", "-c", fix],
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"},
    )
    return in_the_way(lab) == []


def rule(chain: str, policy: str, *words: str) -> None:
    """A firewall that hits nobody else: a base chain at the hook CHAIN with one rule."""
    nft("add", "table", "inet", TABLE)
    hook = f"{{ type filter hook {chain} priority 0; policy {policy}; }}"
    nft("add", "chain", "inet", TABLE, chain, hook)
    nft("add", "rule", "inet", TABLE, chain, *words)


def test_a_rule_that_drops_dhcp(checked: Lab) -> None:
    assert in_the_way(checked) == []
    rule("input", "accept", "iifname", BRIDGE, "udp", "dport", "67", "drop")
    (one,) = in_the_way(checked)
    assert (one["name"], one["status"]) == ("network-firewall", "fail")
    assert "drops DHCP requests of containers" in one["found"]
    assert mended_by(checked, one["fix"])


def test_a_policy_that_drops_what_goes_out(checked: Lab) -> None:
    rule("forward", "drop", "iifname", "!=", BRIDGE, "oifname", "!=", BRIDGE, "accept")
    (one,) = in_the_way(checked)
    assert one["found"] == (
        f"the firewall (inet {TABLE} forward, policy drop) drops packets from containers"
    )
    assert mended_by(checked, one["fix"])


def test_a_switch_of_the_kernel_that_was_turned_off(checked: Lab) -> None:
    Path(f"/proc/sys/net/ipv4/conf/{BRIDGE}/forwarding").write_text("0\n")
    (one,) = in_the_way(checked)
    assert (one["name"], one["fix"]) == (
        "network-forwarding",
        f"sysctl -w net/ipv4/conf/{BRIDGE}/forwarding=1",
    )
    assert mended_by(checked, one["fix"])


def test_a_dnsmasq_that_was_killed(checked: Lab) -> None:
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if words[0].endswith("dnsmasq") and f"--interface={BRIDGE}" in words:
            os.kill(int(place.name), signal.SIGKILL)
    found = poll(lambda: in_the_way(checked) or None, what="its end", timeout=10)
    assert [one["name"] for one in found] == ["network-dhcp"]
    assert mended_by(checked, found[0]["fix"])


@pytest.fixture
def silent(lab: Lab) -> Iterator[str]:
    """A container on a bridge where nobody gives addresses."""
    remove_instance(NAME)
    subprocess.run(["ip", "link", "delete", SILENT], check=False, capture_output=True)
    for words in (("add", SILENT, "type", "bridge"), ("set", SILENT, "up")):
        subprocess.run(["ip", "link", *words], check=True)
    lxc("init", f"{PREFIX}/base", NAME)
    nic = next(
        device
        for device, keys in query(f"/1.0/instances/{NAME}")["expanded_devices"].items()
        if keys["type"] == "nic"
    )
    lxc("config", "device", "add", NAME, nic, "nic", "nictype=bridged", f"parent={SILENT}")
    lxc("start", NAME)
    yield NAME
    remove_instance(NAME)
    subprocess.run(["ip", "link", "delete", SILENT], check=True)


def test_a_dhcp_server_that_is_silent(silent: str) -> None:
    """Not after the two minutes for which systemd-networkd waits."""
    began = time.monotonic()
    with pytest.raises(NoAddress) as caught:
        wait_for_cloud_init(connect(), silent, timeout=180, address_within=SOON)
    assert time.monotonic() - began < SOON + 20
    told = str(caught.value)
    assert told.startswith(
        f"{silent} got no address within {SOON} s.\n"
        f"  It is connected to {SILENT}, which LXD does not manage, and no DHCP server of that "
        "network answered.\n  Inside: eth0@"
    ), told
