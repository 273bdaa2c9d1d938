"""How a checked instance is tried over the network: from this host, or from where it can be met.

On macvlan and its like a host and its containers never meet, and a remote LXD's bridge is nowhere
near. The same questions (images/checks/network.py) are then asked by a second instance of the
image, or, without one, by the instance itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from images.checks.network import read_banner, ssh_login
from lab.errors import CommandTimeout
from lab.instances.boot import wait_for_init
from lab.lxd.devices import Devices, kind_of, of_type
from lab.lxd.model import Completed, Network
from lab.lxd.port import Lxd
from lab.places import ROOT
from lab.rdp import shake_hands

_APART = {
    "macvlan": "with macvlan, this host cannot reach its containers",
    "ipvlan": "with ipvlan, this host cannot reach its containers",
    "sriov": "with SR-IOV, this host cannot reach its containers",
    "ovn": "this host is not in the OVN network of the instance",
    "physical": "the instance has a physical network card, which this host cannot use meanwhile",
}
_ALONE = frozenset({"physical"})
"""Kinds of NICs that only one instance can have."""

_PLACE = "/run/labstamp/asking"
_KEY = f"{_PLACE}/key"
MODULES = (
    *("images/__init__.py", "images/checks/__init__.py", "images/checks/probe.py"),
    *(
        "images/checks/network.py",
        "lab/__init__.py",
        "lab/errors.py",
        "lab/lxd/__init__.py",
        "lab/lxd/model.py",
    ),
    *("lab/rdp.py", "lab/wait.py"),
)
"""All that probe.py needs of us, beside Python itself, which cloud-init needs, too."""
_RUN = "import sys; sys.path.insert(0, sys.argv[1]); from images.checks.probe import main; main()"
_LATE = 45


def why_apart(devices: Devices, networks: Sequence[Network], *, local: bool) -> tuple[str, bool]:
    """Why this host cannot meet an instance with DEVICES, empty when it can; and whether another
    instance can be made that meets it. Pure."""
    for nic in of_type("nic", devices).values():
        kind = kind_of(nic, networks)
        if not local:
            return "LXD is on another machine", kind not in _ALONE
        if kind in _APART:
            return _APART[kind], kind not in _ALONE
        if kind == "bridged" and nic.get("vlan"):
            return f"the instance is in VLAN {nic['vlan']}", True
    return "", True


class Way(Protocol):
    @property
    def told(self) -> str:
        """Where it is tried from and why; empty for this host."""

    def ssh_login(self, ipv4: tuple[str, ...]) -> Completed: ...
    def shake_hands(self, ipv4: tuple[str, ...], *, timeout: float) -> Completed: ...
    def read_banner(
        self, ipv4: tuple[str, ...], port: int, wanted: str, *, timeout: float
    ) -> Completed: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FromHere:
    """As users come: over the host's network, with the private KEY."""

    key: Path
    told: str = ""

    def ssh_login(self, ipv4: tuple[str, ...]) -> Completed:
        return ssh_login(ipv4, self.key)

    def shake_hands(self, ipv4: tuple[str, ...], *, timeout: float) -> Completed:
        return shake_hands(ipv4, timeout=timeout)

    def read_banner(
        self, ipv4: tuple[str, ...], port: int, wanted: str, *, timeout: float
    ) -> Completed:
        return read_banner(ipv4, port, wanted, timeout=timeout)


@dataclass(frozen=True, slots=True, kw_only=True)
class FromInstance:
    """By the instance NAME, which is given the private KEY of this check."""

    lxd: Lxd
    name: str
    key: Path
    told: str

    def ssh_login(self, ipv4: tuple[str, ...]) -> Completed:
        return self._ask("ssh_login", 0, ipv4=ipv4, key=_KEY)

    def shake_hands(self, ipv4: tuple[str, ...], *, timeout: float) -> Completed:
        return self._ask("shake_hands", timeout, ipv4=ipv4, timeout=timeout)

    def read_banner(
        self, ipv4: tuple[str, ...], port: int, wanted: str, *, timeout: float
    ) -> Completed:
        question = {"ipv4": ipv4, "port": port, "wanted": wanted, "timeout": timeout}
        return self._ask("read_banner", timeout, **question)

    def _ask(self, what: str, seconds: float, **arguments: Any) -> Completed:
        self._bring()
        question = json.dumps({"what": what, **arguments}).encode()
        try:
            ended = self.lxd.run(
                self.name, run_argv(_PLACE), stdin=question, timeout=seconds + _LATE
            )
        except CommandTimeout as error:
            return Completed(exit_code=124, stdout="", stderr=error.brief)
        try:
            answer = json.loads(ended.stdout)
            return Completed(
                exit_code=int(answer["exit_code"]),
                stdout=str(answer["stdout"]),
                stderr=str(answer["stderr"]),
            )
        except (ValueError, KeyError, TypeError):
            # What went wrong in there, and no sign that anybody answered.
            return Completed(exit_code=ended.exit_code or 255, stdout="", stderr=ended.stderr)

    def _bring(self) -> None:
        # Each time: it lies in memory, and the instance may have been restarted, or be booting.
        wait_for_init(self.lxd, self.name)
        for path, content in brought():
            self.lxd.write_file(self.name, f"{_PLACE}/{path}", content)
        self.lxd.write_file(self.name, _KEY, self.key.read_bytes(), mode=0o600)


def run_argv(place: str) -> tuple[str, ...]:
    """The command that answers the question on its stdin by the files of `brought` in PLACE."""
    return ("python3", "-c", _RUN, place)


def brought() -> Iterator[tuple[str, bytes]]:
    """The files that an instance needs to ask our questions."""
    for path in MODULES:
        yield path, (ROOT / path).read_bytes()


def way_in(lxd: Lxd, names: Sequence[str], *, local: bool, key: Path) -> Way:
    """How to try the first of the instances NAMES, all made of one image."""
    first = lxd.instance(names[0])
    devices: Devices = first.expanded_devices if first else {}
    why, meets_others = why_apart(devices, lxd.networks(), local=local)
    if not why:
        return FromHere(key=key)
    if len(names) > 1 and meets_others:
        told = f"tried from a second instance: {why}"
        return FromInstance(lxd=lxd, name=names[1], key=key, told=told)
    return FromInstance(lxd=lxd, name=names[0], key=key, told=f"tried from inside: {why}")
