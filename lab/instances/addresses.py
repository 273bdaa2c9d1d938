"""An instance that gets no address: how long that is waited for, and what is told of it."""

from __future__ import annotations

import time
from collections.abc import Callable

from lab.errors import LabError, LxdError
from lab.lxd.devices import nic_of, plug_of
from lab.lxd.model import Network
from lab.lxd.port import Lxd

ADDRESS_SECONDS: float = 60
"""DHCP took 8 s at most on a host that was busy; systemd-networkd alone waits for 120."""
_OFTEN = 2.0


class AddressWatch:
    """Looks, while something else is waited for, whether NAME has got an address in time."""

    def __init__(
        self,
        lxd: Lxd,
        name: str,
        *,
        within: float = ADDRESS_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lxd, self._name, self._within, self._clock = lxd, name, within, clock
        self._began = self._looked = clock()
        self._waits = bool(_plug(lxd, name))

    def too_late(self) -> bool:
        """Whether the time is over, and still there is none."""
        now = self._clock()
        if not self._waits or now - self._looked < min(_OFTEN, self._within):
            return False
        self._looked = now
        state = self._lxd.state(self._name)
        self._waits = not (state.ipv4 or state.ipv6)
        return self._waits and now - self._began >= self._within


def no_address(name: str, seconds: float) -> str:
    return f"{name} got no address within {seconds:.0f} s."


def looked_at(lxd: Lxd, name: str) -> str:
    """Where NAME is plugged in, who should have answered there, and what it has got inside."""
    plug = _plug(lxd, name)
    network = next((one for one in _networks(lxd) if one.name == plug), None)
    return "\n".join(filter(None, (_who_answers(plug, network), _inside(lxd, name))))


def what_next(lxd: Lxd, name: str) -> str:
    plug = _plug(lxd, name)
    if not plug:
        return (
            f"Set `network:` in lab.yaml, or add a NIC. See its devices: lxc config show -e {name}"
        )
    if any(one.name == plug and one.managed for one in _networks(lxd)):
        return "Find the cause, as root: invoke host.check"
    return (
        f"Check the DHCP server of {plug}, or leave `network:` out of "
        "lab.yaml to use a bridge of LXD."
    )


def _plug(lxd: Lxd, name: str) -> str:
    """The network or the interface that its first nic is plugged into; empty without a nic."""
    instance = lxd.instance(name)
    nic = nic_of(instance.expanded_devices) if instance else None
    return plug_of(nic[1]) if nic else ""


def _networks(lxd: Lxd) -> tuple[Network, ...]:
    try:
        return lxd.networks()
    except LabError:
        return ()


def _who_answers(plug: str, network: Network | None) -> str:
    if not plug:
        return "It has no network."
    if network is None or not network.managed:
        return (
            f"It is connected to {plug}, which LXD does not manage, and no DHCP server of that "
            "network answered."
        )
    address = network.config.get("ipv4.address", "none")
    serves = "its DHCP is off" if network.config.get("ipv4.dhcp") == "false" else "by DHCP"
    return f"It is connected to {plug}, where LXD gives addresses of {address}, {serves}."


def _inside(lxd: Lxd, name: str) -> str:
    try:
        shown = lxd.run(name, ["ip", "-brief", "address"], timeout=10).stdout
    except LxdError:
        return ""
    links = [" ".join(line.split()) for line in shown.splitlines() if not line.startswith("lo ")]
    return f"Inside: {'; '.join(links)}" if links else ""
