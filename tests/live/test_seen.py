"""What a container has and uses: seen by the admin, and by its user."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.live_lab.lab import Lab, Said, lxc, query, ssh
from tests.support.live_lab.people import small_container

pytestmark = pytest.mark.plain

NAME = "lt-seen"
MIB = 1 << 20


@pytest.fixture(scope="module")
def person(lab: Lab, key: Path) -> Iterator[dict[str, Any]]:
    with small_container(lab, NAME, key) as made:
        yield made


def _in(person: dict[str, Any], key: Path, *command: str, stdin: str = "") -> Said:
    return ssh(person["ipv4"][0], NAME, key, command, stdin=stdin)


def _listed(lab: Lab) -> dict[str, Any]:
    found = lab.succeed("list", "--json").document["containers"]
    return next(one for one in found if one["name"] == NAME)


def test_the_kernel_tells_what_lxd_tells_and_what_the_quota_counts(
    lab: Lab, person: dict[str, Any]
) -> None:
    one, state = _listed(lab), query(f"/1.0/instances/{NAME}/state")
    assert (one["told_by"], one["trouble"], one["ipv4"]) == ("kernel", None, person["ipv4"])
    assert (one["memory_bytes"], one["home_bytes"]) == (512 * MIB, 100 * MIB)
    assert 0 < one["memory_held_bytes"] < one["memory_used_bytes"] <= 512 * MIB
    # Its root shares hundreds of MB with its image: they count, and LXD leaves them out.
    assert one["disk_used_bytes"] > state["disk"]["root"]["usage"] + 100 * MIB
    told = lab.succeed("list").out
    assert "/512 MiB" in told
    assert "/3 GiB" in told
    assert "/100 MiB" in told


def test_its_user_sees_it_at_login_and_by_lab_info(
    lab: Lab, person: dict[str, Any], key: Path
) -> None:
    said = _in(person, key, "lab-info")
    assert said.code == 0, said.err
    memory, root, home = said.out.splitlines()
    one = _listed(lab)
    assert memory.startswith("memory ")
    assert memory.endswith("/512 MiB used")
    assert root.split()[1].endswith("/3")
    assert abs(float(root.split()[1].split("/")[0]) - one["disk_used_bytes"] / (1 << 30)) < 0.2
    assert home.split()[1].endswith("/100")
    login = _in(person, key, "-tt", stdin="exit\n").out
    assert [line for line in login.splitlines() if line.rstrip().endswith("(lab-info)")], login
    _in(person, key, "touch ~/.hushlogin")
    assert "(lab-info)" not in _in(person, key, "-tt", stdin="exit\n").out
    _in(person, key, "rm ~/.hushlogin")


def test_a_full_home_is_told_and_the_login_works(
    lab: Lab, person: dict[str, Any], key: Path
) -> None:
    _in(person, key, "head -c 300M /dev/zero >~/big; sync")
    # The kernel counts when it writes to the disk.
    deadline = time.monotonic() + 60
    while _listed(lab)["home_used_bytes"] < 90 * MIB and time.monotonic() < deadline:
        time.sleep(1)
    assert 90 * MIB <= _listed(lab)["home_used_bytes"] <= 100 * MIB
    login = _in(person, key, "-tt", stdin="exit\n").out
    assert "nearly full: home" in login
    assert "nearly full" in _in(person, key, "lab-info").out.splitlines()[2]
    assert f"of {100:.1f} MiB used, kept by destroy" in lab.succeed("show", NAME).out
    _in(person, key, "rm ~/big")


def test_a_restart_brings_it_back(lab: Lab, person: dict[str, Any], key: Path) -> None:
    _in(person, key, "sudo rm /usr/local/bin/lab-info /etc/update-motd.d/50-lab-info")
    assert "(lab-info)" not in _in(person, key, "-tt", stdin="exit\n").out
    lab.succeed("restart", NAME)
    address = lab.succeed("show", NAME, "--json").document["ipv4"]
    assert _in({"ipv4": address}, key, "lab-info").code == 0


def test_a_limit_of_a_profile_is_told(lab: Lab, person: dict[str, Any]) -> None:
    lxc("profile", "create", "lt-seen-cpus")
    try:
        lxc("profile", "set", "lt-seen-cpus", "limits.cpu=1")
        lxc("profile", "add", NAME, "lt-seen-cpus")
        assert "1 (limit of a profile)" in lab.succeed("show", NAME).out
        said = lab.succeed("resize", NAME, "--cpus", "1").out
        assert said == "cpus: 1, from a profile, now, 1 requested\n"
        assert "limit of a profile" not in lab.succeed("show", NAME).out
    finally:
        lxc("profile", "remove", NAME, "lt-seen-cpus")
        lxc("profile", "delete", "lt-seen-cpus")
