"""What is in the way of containers' network, by rules that real tools wrote down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from host.check.check import obstacles
from host.check.network import findings
from host.check.network_facts import NetworkFacts, read_network_facts
from host.check.packet import Table
from host.check.ruleset import of_iptables, of_nft
from host.finding import Finding, Status
from host.machine import Machine
from lab import labels
from lab.lxd.model import Completed, Network, Profile
from lab.settings.settings import Settings
from tests.support.builders.machines import give_network, machine_in, write
from tests.support.fake_lxd.lxd import FakeLxd

RULES = Path(__file__).parent / "firewall"
BRIDGE = NetworkFacts(
    name="lxdbr0",
    managed=True,
    config={"ipv4.address": "10.77.0.1/24", "ipv4.nat": "true"},
    serves=True,
    uplink="eth9",
    tables=(),
)


def tables(name: str) -> tuple[Table, ...]:
    """Those of one of the files, as its tool wrote it."""
    text = (RULES / name).read_text()
    return of_nft(text) if name.endswith(".json") else of_iptables(text)


def judged(facts: NetworkFacts, sudo: str = "sudo ") -> list[Finding]:
    return [one for one in findings(facts, sudo) if one.status is not Status.OK]


@pytest.mark.parametrize(
    ("rules", "found", "fix"),
    [
        (
            "ufw.save",
            "ufw (ip filter INPUT) drops DHCP requests of containers",
            "sudo ufw allow in on lxdbr0 && sudo ufw route allow in on lxdbr0 && "
            "sudo ufw route allow out on lxdbr0",
        ),
        (
            "docker.save",
            "docker's firewall (ip filter FORWARD, policy DROP) drops packets from containers",
            "sudo iptables -I DOCKER-USER -i lxdbr0 -j ACCEPT && "
            "sudo iptables -I DOCKER-USER -o lxdbr0 -j ACCEPT",
        ),
        (
            "firewalld.json",
            "firewalld (inet firewalld filter_INPUT) drops DHCP requests of containers",
            "sudo firewall-cmd --permanent --zone=trusted --change-interface=lxdbr0 && "
            "sudo firewall-cmd --reload",
        ),
        ("ufw-allowed.save", None, None),
    ],
)
def test_a_firewall_is_named_with_the_command(
    rules: str, found: str | None, fix: str | None
) -> None:
    every = judged(replace(BRIDGE, tables=tables(rules)))
    assert [(one.found, one.fix) for one in every] == ([] if found is None else [(found, fix)])
    assert {one.status for one in every} <= {Status.FAIL}


def test_a_drop_rule_names_its_chain() -> None:
    """`iifname "lxdbr*" oifname "eth9" drop`, once what comes in is accepted."""
    (one,) = judged(replace(BRIDGE, tables=tables("nft.json")))
    # `iifname @trusted accept`: whatever is in that set may be let in.
    assert one.found == (
        "the firewall (inet filter forward, rule iif lxdbr* oif eth9 drop) drops packets from "
        "containers"
    )
    assert one.fix == (
        "sudo nft insert rule inet filter forward iifname lxdbr0 accept && "
        "sudo nft insert rule inet filter forward oifname lxdbr0 accept"
    )


def rule(text: str, *, policy: str = "DROP") -> tuple[Table, ...]:
    return of_iptables(f"*filter\n:INPUT {policy} [0:0]\n:FORWARD ACCEPT [0:0]\n{text}\nCOMMIT\n")


@pytest.mark.parametrize(
    "accepts",
    [
        "-A INPUT -i lxdbr0 -j ACCEPT",
        "-A INPUT -i lxdbr+ -j ACCEPT",
        "-A INPUT ! -i eth9 -m comment --comment 'a b' -j ACCEPT",
        "-A INPUT -p udp -m multiport --dports 53,67:68 -j ACCEPT",
        # What is not understood may accept: nobody is blamed.
        "-A INPUT -m set --match-set inside src -j ACCEPT",
        "-A INPUT -j KUBE-ROUTER-INPUT",
    ],
)
def test_what_accepts_or_may_accept_is_not_blamed(accepts: str) -> None:
    assert judged(replace(BRIDGE, tables=rule(accepts))) == []


@pytest.mark.parametrize(
    ("drops", "what"),
    [
        ("", "DHCP requests of containers"),
        ("-A INPUT -s 192.0.2.0/24 -j ACCEPT", "DHCP requests of containers"),
        ("-A INPUT -m set --match-set evil src -j DROP", "DHCP requests of containers"),
        ("-A INPUT -p udp -m udp --dport 67 -j ACCEPT", "DNS requests of containers"),
        ("-A INPUT -i lxdbr0 -p udp --dport 53 -j REJECT", "DHCP requests of containers"),
    ],
)
def test_a_policy_is_blamed_where_nothing_accepts(drops: str, what: str) -> None:
    (one,) = judged(replace(BRIDGE, tables=rule(drops)))
    assert one.found == f"the firewall (ip filter INPUT, policy drop) drops {what}"
    assert one.fix == "sudo iptables -I INPUT -i lxdbr0 -j ACCEPT"


def test_every_table_has_a_say() -> None:
    """LXD's own rules accept, in a table of their own, which helps nothing."""
    is_managed = of_nft(
        '{"nftables": [{"chain": {"family": "inet", "table": "lxd", "name": "fwd.lxdbr0", '
        '"type": "filter", "hook": "forward", "policy": "accept"}}, {"rule": {"family": "inet", '
        '"table": "lxd", "chain": "fwd.lxdbr0", "expr": [{"match": {"op": "==", "left": '
        '{"meta": {"key": "iifname"}}, "right": "lxdbr0"}}, {"accept": null}]}}]}'
    )
    assert len(judged(replace(BRIDGE, tables=(*is_managed, *tables("docker.save"))))) == 1
    assert judged(replace(BRIDGE, tables=is_managed)) == []


def test_a_bridge_of_somebody_elses_with_docker_on_the_host() -> None:
    """br_netfilter shows iptables what stays on a bridge: DHCP of the LAN, for one."""
    lan = NetworkFacts(name="br-lan", managed=False, filtered=True, tables=tables("docker.save"))
    (one,) = judged(lan)
    assert one.found.endswith("drops DHCP requests of containers")
    assert judged(replace(lan, filtered=False)) == []


@pytest.mark.parametrize(
    ("facts", "name", "fix"),
    [
        (
            replace(BRIDGE, unforwarded="net/ipv4/ip_forward"),
            "network-forwarding",
            "sysctl -w net/ipv4/ip_forward=1",
        ),
        (
            replace(BRIDGE, serves=False),
            "network-dhcp",
            "lxc network set lxdbr0 ipv4.dhcp.expiry=2h && "
            "lxc network unset lxdbr0 ipv4.dhcp.expiry",
        ),
        (
            replace(BRIDGE, config={**BRIDGE.config, "ipv4.dhcp": "false"}),
            "network-dhcp",
            "lxc network set lxdbr0 ipv4.dhcp=true",
        ),
        (
            replace(BRIDGE, config={"ipv4.address": "none"}),
            "network-dhcp",
            "lxc network set lxdbr0 ipv4.address=auto",
        ),
    ],
)
def test_what_else_is_in_the_way(facts: NetworkFacts, name: str, fix: str) -> None:
    (one,) = judged(facts, sudo="")
    assert (one.name, one.subject, one.status, one.fix) == (name, "lxdbr0", Status.FAIL, fix)


def test_nothing_in_the_way_says_what_was_not_seen() -> None:
    (fine,) = findings(BRIDGE, "")
    assert (fine.status, fine.found) == (Status.OK, "nothing blocks this network")
    (unseen,) = findings(replace(BRIDGE, tables=None, serves=None), "sudo ")
    assert unseen.found == "nothing blocks this network; only root can see the firewall's rules"


# ---- reading ------------------------------------------------------------------------------------


def answering(root: Path, **answers: str) -> Machine:
    """A machine whose commands say what ANSWERS has for their names; others are not installed."""

    def run(argv: Sequence[str]) -> Completed:
        text = answers.get(argv[0].replace("-", "_"))
        if text is None:
            return Completed(exit_code=127, stdout="", stderr="not found")
        return Completed(exit_code=0, stdout=text, stderr="")

    give_network(root)
    return replace(machine_in(root), run=run)


def test_facts_of_the_bridge_of_the_default_profile(tmp_path: Path) -> None:
    machine = answering(tmp_path, nft=(RULES / "nft.json").read_text())
    write(
        tmp_path,
        "/proc/net/route",
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
        "eth9\t00000000\t0164A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n",
    )
    facts = read_network_facts(FakeLxd(), Settings(), machine)
    assert facts is not None
    assert facts == replace(BRIDGE, tables=facts.tables)
    assert [one.name for one in facts.tables or ()] == ["inet filter"]


@pytest.mark.parametrize(
    ("zeros", "key"),
    [
        (["ip_forward", "conf/lxdbr0/forwarding"], "net/ipv4/ip_forward"),
        # With a 1 for all already, writing that again changes no interface.
        (["conf/lxdbr0/forwarding"], "net/ipv4/conf/lxdbr0/forwarding"),
        ([], ""),
    ],
)
def test_the_switch_that_is_off_is_named(tmp_path: Path, zeros: list[str], key: str) -> None:
    machine = answering(tmp_path)
    for one in ("ip_forward", "conf/lxdbr0/forwarding"):
        write(tmp_path, f"/proc/sys/net/ipv4/{one}", f"{int(one not in zeros)}\n")
    facts = read_network_facts(FakeLxd(), Settings(), machine)
    assert facts is not None
    assert facts.unforwarded == key


def test_iptables_speaks_for_its_own_tables(tmp_path: Path) -> None:
    """nft lists them, too, with words that only iptables understands."""
    theirs = '{"nftables": [{"chain": {"family": "ip", "table": "filter", "name": "FORWARD"}}]}'
    saved = (RULES / "docker.save").read_text()
    facts = read_network_facts(
        FakeLxd(), Settings(), answering(tmp_path, nft=theirs, iptables_save=saved)
    )
    assert facts is not None
    (table,) = facts.tables or ()
    assert (table.name, table.iptables) == ("ip filter", True)


def test_who_is_not_root_may_see_neither_rules_nor_all_processes(tmp_path: Path) -> None:
    machine = replace(answering(tmp_path), superuser=False)
    (tmp_path / "proc/4711/cmdline").write_text("bash\0")
    facts = read_network_facts(FakeLxd(), Settings(), machine)
    assert facts is not None
    assert (facts.tables, facts.serves) == (None, None)


def test_containers_that_are_on_no_bridge_of_this_machine(tmp_path: Path) -> None:
    lxd, machine = FakeLxd(), answering(tmp_path)
    lxd.store.networks["eth9"] = Network(name="eth9", type="physical", managed=False)
    assert read_network_facts(lxd, Settings(network="eth9"), machine) is None
    lxd.store.profiles["default"] = Profile(name="default")
    assert read_network_facts(lxd, Settings(), machine) is None


def test_obstacles_are_what_fails_and_of_this_machine_only(tmp_path: Path) -> None:
    machine = answering(tmp_path, iptables_save=(RULES / "ufw.save").read_text())
    (one,) = obstacles(FakeLxd(), Settings(), machine)
    assert one.name == "network-firewall"
    # Builds need that of builders, too.
    lxd = FakeLxd()
    lxd.store.networks["lxdbr0b"] = Network(
        name="lxdbr0b", type="bridge", managed=True, config={labels.BUILDERS: "true"}
    )
    assert [one.subject for one in obstacles(lxd, Settings(), machine)] == ["lxdbr0"]
    told = obstacles(lxd, Settings(), machine, builds=True)
    assert [one.subject for one in told] == ["lxdbr0", "lxdbr0b", "lxdbr0b"]
    assert obstacles(FakeLxd(), Settings(remote="https://lab1.example:8443"), machine) == ()
