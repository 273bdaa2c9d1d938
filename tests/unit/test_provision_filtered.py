"""On a server that turns out to have no br_netfilter."""

from __future__ import annotations

import pytest

from lab.errors import LxdError
from lab.lxd.nic_filters import IPV4, IPV6, MAC
from lab.report import Silent
from provision import lifecycle
from tests.support.builders.stamping import SETTINGS, a_lab, banner, bob, stamp
from tests.support.fake_lxd.lxd import FakeLxd

BOB = ("default", "bob")
# LXD 5.0.2's own words.
REFUSED = (
    'Failed to start device "eth0": security.ipv6_filtering requires bridge netfilter: '
    "br_netfilter kernel module not loaded"
)


@pytest.fixture
def lxd() -> FakeLxd:
    lxd = a_lab()
    lxd.failures["start bob"] = LxdError("LXD could not start bob.", details=REFUSED)
    return lxd


def test_a_new_container_is_started_without_what_the_kernel_cannot(lxd: FakeLxd) -> None:
    assert stamp(lxd, bob()).changed
    nic = lxd.store.instances[BOB].devices["eth0"]
    assert (nic[MAC], nic[IPV4], IPV6 in nic, nic["network"]) == ("true", "true", False, "lxdbr0")


def test_one_that_was_filtered_is_not_started_without_and_the_cure_is_told(lxd: FakeLxd) -> None:
    stamp(lxd, bob())
    lifecycle.stop(lxd, SETTINGS, "bob", report=Silent())
    lxd.failures["start bob"] = LxdError("LXD could not start bob.", details=REFUSED)
    with pytest.raises(LxdError) as error:
        lifecycle.start(lxd, SETTINGS, "bob", report=Silent(), probe_ssh=banner)
    assert (error.value.fix or "").splitlines()[1].startswith("sudo modprobe br_netfilter && ")


def test_other_refusals_stay_what_they_are(lxd: FakeLxd) -> None:
    lxd.failures["start bob"] = LxdError("LXD could not start bob.", details="No.")
    with pytest.raises(LxdError, match="could not start bob"):
        stamp(lxd, bob())
    assert lxd.store.volumes
