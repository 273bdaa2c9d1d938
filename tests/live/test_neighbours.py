"""What one container may not do to its neighbours: bounded by the bomb itself, too."""

from __future__ import annotations

import platform
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.live_lab.lab import Lab, lxc, query, ssh

Pair = tuple[dict[str, Any], dict[str, Any]]

# Up to 4000 that only sleep, then for three seconds new ones for all that end.
BOMB = """
my $made = 0;
while ($made < 4000) {
    my $child = fork;
    last unless defined $child;
    if (!$child) { sleep 8; exit }
    $made++;
}
print "$made\\n";
my $end = time + 3;
while (time < $end) {
    my $child = fork;
    if (defined $child && !$child) { 1 while time < $end; exit }
}
"""
HOG = 'my @all; push @all, "x" x (100 << 20) for 1 .. 30; print "had it all\\n"'
USABLE = 10.0
"""Seconds for an ssh login on two busy cores; where nobody is in the way it is 0.4."""

OTHER = "aarch64" if platform.machine() == "x86_64" else "x86_64"
PIPE = f"/usr/lib/{OTHER}-linux-gnu"
# Each command that labstamp runs inside begins with `timeout`: this one is found first.
TRAPS = f"""
rm -rf {PIPE}; mkfifo {PIPE}
truncate -s 300G /var/lib/dpkg/status
printf '#!/bin/sh\\ntouch /srv/sprung\\nexec yes\\n' >/usr/local/sbin/timeout
chmod 755 /usr/local/sbin/timeout
"""
TROUBLE = f"could not be inspected: {PIPE} is not a directory."


@contextmanager
def at_work(name: str, perl: str) -> Iterator[subprocess.Popen[str]]:
    """PERL at work in there: entered again where LXD says that it could not (see `NOT_ENTERED`)."""
    argv = ["lxc", "exec", name, "--", "perl", "-e", f'$| = 1; print "entered\\n"; {perl}']
    for _ in range(4):
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            if process.stdout.readline() != "entered\n":
                continue
            yield process
            process.wait(timeout=120)
            return
    raise AssertionError(f"{name} could not be entered.")


def is_usable(person: dict[str, Any], key: Path) -> None:
    began = time.monotonic()
    said = ssh(person["ipv4"][0], person["owner"], key, ["id", "-un"])
    assert (said.code, said.out.strip()) == (0, person["owner"]), said.err
    assert time.monotonic() - began < USABLE


@pytest.mark.plain
def test_a_fork_bomb_ends_at_its_own_limit(pair: Pair, key: Path) -> None:
    """At a tenth of the lab's default: a larger bomb costs minutes, and shows no more."""
    ann, ben = pair
    usual = query(f"/1.0/instances/{ann['name']}")["config"]["limits.processes"]
    most = int(usual) // 10
    lxc("config", "set", ann["name"], f"limits.processes={most}")
    with at_work(ann["name"], BOMB) as bomb:
        assert bomb.stdout is not None
        made = int(bomb.stdout.readline())
        assert 0 < made < most
        is_usable(ben, key)
        # The host, too, makes processes.
        assert subprocess.run(["true"], check=True, timeout=USABLE).returncode == 0
        assert query(f"/1.0/instances/{ann['name']}/state")["processes"] <= most
    lxc("config", "set", ann["name"], f"limits.processes={usual}")


@pytest.mark.plain
def test_a_memory_hog_ends_at_its_own_limit(pair: Pair, key: Path) -> None:
    ann, ben = pair
    assert ann["memory_bytes"] == 2 << 30
    with at_work(ann["name"], HOG) as hog:
        is_usable(ben, key)
        assert hog.stdout is not None
        said = hog.stdout.read()
    assert (hog.returncode, said) == (137, "")
    is_usable(ann, key)


def test_who_looks_in_is_told_the_truth_whatever_root_does_in_there(lab: Lab, pair: Pair) -> None:
    ann, ben = (person["name"] for person in pair)
    lxc("exec", ann, "--", "sh", "-c", TRAPS)

    found = by_name(lab.succeed("drivers", "--json").document["containers"])
    assert (found[ann]["driver"], found[ann]["trouble"]) == (None, TROUBLE)
    assert found[ben]["trouble"] is None
    assert lab.succeed("sync-drivers", ann, "--plan").out == f"{ann}: skip, {TROUBLE}\n"
    # What it says of this machine is another matter.
    checks = lab.invoke("host.check", "--json").document["checks"]
    assert [one["found"] for one in checks if one["subject"] == ann] == [TROUBLE]
    assert not [one for one in checks if one["subject"] == ben]
    listed = by_name(lab.succeed("list", "--json").document["containers"])
    assert listed[ben]["ipv4"] == pair[1]["ipv4"]
    # LXD, too, stops and starts it as ever: nothing of it is stuck in there.
    lab.succeed("restart", ann)

    assert "sprung" not in lxc("exec", ann, "--", "ls", "/srv").split()


def by_name(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in rows}
