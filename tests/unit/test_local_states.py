"""What the kernel tells of containers, read from files as it writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from lab.errors import TooMuch
from lab.machine.container_network import Addresses, addresses
from lab.machine.monitors import first_processes
from lab.machine.subvolumes import Space, Subvolume, space, subvolume

# Of a container of LXD 5.0.2 with docker in it, on a kernel 6.18.
TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.79.0.0/24 2 0 2
        |-- 10.79.0.0
           /24 link UNICAST
        |-- 10.79.0.11
           /32 host LOCAL
        |-- 10.79.0.255
           /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
           |-- 127.0.0.1
              /32 host LOCAL
     +-- 172.17.0.0/16 2 0 2
           |-- 172.17.0.1
              /32 host LOCAL
Local:
        |-- 10.79.0.11
           /32 host LOCAL
"""
ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t01004F0A\t0003\t0\t0\t1024\t00000000\t0\t0\t0
eth0\t00004F0A\t00000000\t0001\t0\t0\t1024\t00FFFFFF\t0\t0\t0
eth0\t01004F0A\t00000000\t0005\t0\t0\t1024\tFFFFFFFF\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""
DEVICES = """\
Inter-|   Receive                            |  Transmit
 face |bytes    packets errs drop
    lo:       0       0    0    0
  eth0: 1234567    8910    0    0
docker0:      0       0    0    0
"""
INET6 = """\
00000000000000000000000000000001 01 80 10 80       lo
fe8000000000000002163efffe81e698 4622 40 20 80     eth0
fd42000000000000000000000000000b 4622 40 00 80     eth0
fd43000000000000000000000000000b 4623 40 00 80     docker0
"""
NET = {"dev": DEVICES, "fib_trie": TRIE, "route": ROUTES, "if_inet6": INET6}


def network(proc: Path, files: Mapping[str, str]) -> Path:
    net = proc / "7" / "net"
    net.mkdir(parents=True)
    for name, text in files.items():
        (net / name).write_text(text)
    return proc


def test_addresses_are_those_of_its_own_nic_and_not_of_docker(tmp_path: Path) -> None:
    proc = network(tmp_path, NET)
    assert addresses(7, ("eth0",), proc=proc) == Addresses(ipv4=("10.79.0.11",), ipv6=("fd42::b",))


def test_a_nic_that_has_none_yet_has_none(tmp_path: Path) -> None:
    proc = network(tmp_path, {"dev": DEVICES, "fib_trie": "", "route": "", "if_inet6": ""})
    assert addresses(7, ("eth0",), proc=proc) == Addresses()


def test_a_nic_that_was_renamed_inside_is_not_known(tmp_path: Path) -> None:
    assert addresses(7, ("eth0", "eth1"), proc=network(tmp_path, NET)) is None


def test_an_address_that_is_in_no_connected_subnet_is_not_known(tmp_path: Path) -> None:
    proc = network(tmp_path, {**NET, "route": ROUTES.replace("00004F0A", "00004F0B")})
    assert addresses(7, ("eth0",), proc=proc) is None


def test_endless_lists_are_not_read(tmp_path: Path) -> None:
    proc = network(tmp_path, {**NET, "fib_trie": TRIE * 1000})
    with pytest.raises(TooMuch):
        addresses(7, ("eth0",), proc=proc)


def test_who_has_ended_is_not_known(tmp_path: Path) -> None:
    assert addresses(8, ("eth0",), proc=tmp_path) is None


def process(  # noqa: PLR0917 - a row of a table
    proc: Path, pid: int, argv: str, children: str = "", uid: int = 0, numbers: str = ""
) -> None:
    place = proc / str(pid)
    (place / "task" / str(pid)).mkdir(parents=True)
    (place / "task" / str(pid) / "children").write_text(children)
    (place / "cmdline").write_text(argv)
    uids = "\t".join([str(uid)] * 4)
    (place / "status").write_text(f"Name:\tx\nUid:\t{uids}\nNSpid:\t{pid}{numbers}\n")


def test_the_first_processes_are_those_of_this_lxd_alone(tmp_path: Path) -> None:
    ours, theirs = "/var/lib/lxd/containers", "/var/lib/other/containers"
    process(tmp_path, 1, "/sbin/init\0", "10 20 30 40 50 60 70 ")
    process(tmp_path, 10, f"[lxc monitor] {ours} bob\0", "11 ")
    process(tmp_path, 20, f"[lxc monitor] {theirs} bob\0", "21 ")
    process(tmp_path, 30, f"/usr/bin/lxd\0forkstart\0lab_eve\0{ours}\0/run/lxc.conf\0", "31 ")
    # An account of the host gives its process the name of a monitor.
    process(tmp_path, 40, f"[lxc monitor] {ours} ann\0", "41 ", uid=1000)
    # Its container has not started yet, and a hook of LXD runs.
    process(tmp_path, 50, f"[lxc monitor] {ours} new\0", "51 ")
    process(tmp_path, 60, "/usr/sbin/sshd\0")
    # Root of a privileged container, whose parent has ended.
    process(tmp_path, 70, f"[lxc monitor] {ours} eva\0", "11 ", numbers="\t5")
    for pid in (11, 21, 31, 41):
        process(tmp_path, pid, "/sbin/init\0", uid=1000000, numbers="\t1")
    process(tmp_path, 51, "/usr/bin/lxd\0callhook\0")
    assert first_processes(Path("/var/lib/lxd"), proc=tmp_path) == {"bob": 11, "lab_eve": 31}


def test_nothing_is_known_where_the_kernel_does_not_list_children(tmp_path: Path) -> None:
    assert first_processes(Path("/var/lib/lxd"), proc=tmp_path) == {}


def group(sysfs: Path, **files: str) -> Path:
    place = sysfs / "uuid" / "qgroups" / "0_257"
    place.mkdir(parents=True)
    for name, text in files.items():
        (place / name).write_text(text)
    return sysfs


def test_the_space_is_what_the_quota_is_held_against(tmp_path: Path) -> None:
    counted = {"referenced": "1200\n", "exclusive": "5\n", "max_referenced": "4096\n"}
    limited = group(tmp_path / "a", **counted, limit_flags="0x1\n")
    free = group(tmp_path / "b", **counted, limit_flags="0x0\n")

    def told(sysfs: Path) -> Space | None:
        return space(tmp_path, identify=lambda _: Subvolume("uuid", 257), sysfs=sysfs)

    assert told(limited) == Space(used=1200, quota=4096)
    assert told(free) == Space(used=1200)
    # Quotas are off.
    assert told(tmp_path / "c") == Space()


def test_a_plain_directory_is_no_subvolume(tmp_path: Path) -> None:
    assert subvolume(tmp_path) is None
    assert subvolume(tmp_path / "missing") is None
    assert space(tmp_path) is None
