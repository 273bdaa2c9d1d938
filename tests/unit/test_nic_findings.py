"""What host.check says of containers that could take the addresses of others, and of builders."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone

import pytest

from host.check.nics import NicFacts, containers, findings
from host.finding import Status
from lab import labels
from lab.lxd.model import Instance, Network, Server, State
from lab.lxd.nic_filters import IPV4, IPV6, MAC, Wanted

NIC = {"type": "nic", "name": "eth0", "network": "lxdbr0"}
ALL = {MAC: "true", IPV4: "true", IPV6: "true"}
BRIDGE = Network(
    name="lxdbr0",
    type="bridge",
    managed=True,
    config={"ipv4.address": "10.77.0.1/24", "ipv4.nat": "true", "ipv6.address": "none"},
)
OWN = Network(name="lxdbr0b", type="bridge", managed=True, config={labels.BUILDERS: "true"})
OLD = Server(version="4.0", api_extensions=frozenset(), name="old")
SERVER = Server(version="5.0.2", api_extensions=frozenset({"network_bridge_acl"}), name="lab")


def container(
    name: str, nic: Mapping[str, str], *, own: bool = True, phase: str = labels.READY
) -> Instance:
    return Instance(
        name=name,
        state=State.RUNNING,
        config={labels.OWNER: name, labels.PHASE: phase},
        devices={"eth0": nic} if own else {},
        expanded_devices={"eth0": nic},
        created_at=datetime(2026, 11, 26, tzinfo=timezone.utc),
    )


def found(*instances: Instance, server: Server = OLD, **facts: object) -> list[tuple[str, ...]]:
    given = NicFacts(instances=instances, networks=(BRIDGE,), **facts)  # type: ignore[arg-type]
    return [
        (one.name, one.subject or "", one.status.value, one.found, one.fix or "")
        for one in findings(given, server, "sudo ")
    ]


def test_all_is_well() -> None:
    assert found(container("ann", {**NIC, **ALL})) == [
        (
            "network-filters",
            "",
            "ok",
            "users' containers can send from their own addresses only",
            "",
        )
    ]


@pytest.mark.parametrize(
    ("own", "have", "fix"),
    [
        (False, {}, f"override ann eth0 {MAC}=true {IPV4}=true {IPV6}=true"),
        (True, {}, f"set ann eth0 {MAC}=true {IPV4}=true {IPV6}=true"),
        (True, {MAC: "true", IPV6: "true"}, f"set ann eth0 {IPV4}=true"),
    ],
)
def test_one_from_before(own: bool, have: dict[str, str], fix: str) -> None:  # noqa: FBT001
    (one,) = found(container("ann", {**NIC, **have}, own=own))
    assert one[1:4] == ("ann", "warn", "it can use the addresses of other containers")
    assert one[4] == f"lxc config device {fix}"


def test_without_br_netfilter() -> None:
    wanted = Wanted(ipv6=False)
    (one,) = found(container("ann", {**NIC, **ALL}), wanted=wanted)
    assert one[2] == Status.FAIL.value
    assert one[4].startswith("sudo modprobe br_netfilter && ")
    assert found(container("ann", {**NIC, MAC: "true", IPV4: "true"}), wanted=wanted)[0][2] == "ok"


def test_what_is_not_asked_for_is_not_missed() -> None:
    (one,) = found(container("ann", NIC), wanted=Wanted(filters=False))
    assert one[3] == "not asked for (network-filters: false)"
    isolated = Wanted(filters=False, isolation=True)
    (one,) = found(container("ann", NIC), wanted=isolated)
    assert one[4] == "lxc config device set ann eth0 security.port_isolation=true"


def test_one_without_a_network_is_passed_over() -> None:
    assert found(container("ann", {"type": "none"}))[0][2] == "ok"


def test_only_whole_containers_of_ours() -> None:
    ann = container("ann", NIC)
    half = container("ben", NIC, phase=labels.PREPARING)
    foreign = Instance(name="cat", state=State.RUNNING, created_at=ann.created_at)
    assert containers((half, foreign, ann)) == (ann,)


def test_builders_beside_users() -> None:
    name, _, status, said, fix = found(users=BRIDGE, server=SERVER)[1]
    assert (name, status, fix) == ("builders-network", "warn", "invoke host.setup")
    assert said == "builders and users' containers share the network lxdbr0"
    # There they stay, where LXD cannot close a bridge.
    assert len(found(users=BRIDGE, server=OLD)) == 1


def test_builders_on_a_network_of_their_own() -> None:
    facts = NicFacts(networks=(BRIDGE, OWN), users=BRIDGE)
    told = list(findings(facts, SERVER, ""))[1]
    assert (told.subject, told.status) == ("lxdbr0b", Status.OK)
