"""Starting a container whose NIC is filtered, on a host that turns out not to be able to."""

from __future__ import annotations

from typing import Final

from lab.errors import LxdError
from lab.lxd.nic_filters import IPV6
from lab.lxd.port import Lxd
from lab.report import Report

EXPLAINED: Final = (
    "Load the module on the server, now and at each boot:\n"
    "sudo modprobe br_netfilter && echo br_netfilter | sudo tee /etc/modules-load.d/labstamp.conf"
)


def needs_netfilter(error: LxdError) -> bool:
    """Whether LXD would not start a NIC with filters for IPv6, as the host has no br_netfilter."""
    return "requires bridge netfilter" in f"{error.brief} {error.details}"


def start_filtered(lxd: Lxd, name: str, report: Report) -> None:
    """Start NAME, which is new, without filters for IPv6 where the host cannot have them."""
    try:
        lxd.start(name)
    except LxdError as error:
        if not needs_netfilter(error):
            raise
        instance = lxd.instance(name)
        devices = instance.devices if instance else {}
        plugged = {
            nic: {key: value for key, value in keys.items() if key != IPV6}
            for nic, keys in devices.items()
            if IPV6 in keys
        }
        lxd.update(name, devices=plugged)
        report.say(f"{name}: IPv6 is not filtered: the server's br_netfilter is not loaded.")
        lxd.start(name)
