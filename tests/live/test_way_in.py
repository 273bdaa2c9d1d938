"""Images are judged on networks where this host and its containers never meet."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live_lab.tiny import Tiny, litter

pytestmark = pytest.mark.plain

# Names of interfaces have at most 15 characters.
NIC = "ltlan0"
SPACE = "ltlan"
SSH = {"name": "ssh", "kind": "ssh"}
IDENTITY = {"name": "identity", "kind": "identity"}
REBOOT = {"name": "reboot", "kind": "reboot"}
PORT = {"name": "sshd speaks", "kind": "port", "port": 22, "stdout": "^SSH-2"}
APART = "with macvlan, this host cannot reach its containers"


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True, stdin=subprocess.DEVNULL)


@pytest.fixture
def nic(tmp_path: Path) -> Iterator[str]:
    """A plain interface of this host, on a LAN with a DHCP server of its own."""
    _gone()
    within = ("ip", "netns", "exec", SPACE)
    _run("ip", "netns", "add", SPACE)
    _run("ip", "link", "add", NIC, "type", "veth", "peer", "name", "lan0", "netns", SPACE)
    _run("ip", "link", "set", NIC, "up")
    _run(*within, "ip", "addr", "add", "10.98.7.1/24", "dev", "lan0")
    _run(*within, "ip", "link", "set", "lan0", "up")
    server = subprocess.Popen(
        [
            *within,
            *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0"),
            *("--interface=lan0", "--bind-interfaces", "--leasefile-ro", "--pid-file="),
            *("--dhcp-range=10.98.7.50,10.98.7.150,1h", "--user=root"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=(tmp_path / "dnsmasq.log").open("w"),
        stderr=subprocess.STDOUT,
    )
    yield NIC
    server.terminate()
    server.wait(timeout=30)
    _gone()


def _gone() -> None:
    for argv in (("ip", "link", "delete", NIC), ("ip", "netns", "delete", SPACE)):
        subprocess.run(argv, check=False, capture_output=True)


def test_a_second_instance_tries_what_the_host_cannot(
    tiny: Tiny, source: dict[str, str], nic: str
) -> None:
    tiny.set(source=source, network=nic)
    tiny.define(checks=[SSH, IDENTITY, PORT, REBOOT])
    said = tiny.lab.succeed("build-images")
    way = f"tried from a second instance: {APART}"
    assert f"tiny: ssh, sshd speaks, reboot: {way}\n" in said.err
    log = tiny.kept_log()
    for name in ("ssh", "sshd speaks", "reboot"):
        assert f"passed: {name} ({way})\n" in log
    assert "passed: identity\n" in log
    # Without a second one, from inside; and what fails there says from where it was tried.
    tiny.define(checks=[SSH, PORT | {"port": 23, "timeout": 1}])
    said = tiny.lab.invoke("smoke-images")
    assert said.code == 5
    assert f"passed: ssh (tried from inside: {APART})\n" in tiny.kept_log()
    assert "port 23: Connection refused; tried from inside: " in said.err
    assert [line for line in litter() if "check-" in line] == []
