"""A person loses files, and gets them back: files alone, and nothing else of that day."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.support.live_lab.killed import killed
from tests.support.live_lab.lab import Lab, Said, lxc, lxc_ended, query, ssh
from tests.support.live_lab.people import small_container

pytestmark = pytest.mark.plain

NAME = "lt-snap"
WORK = """
mkdir -p ~/work && cd ~/work
for i in $(seq 200); do echo "result $i" >run-$i; done
ln -sf run-1 newest; chmod 600 run-2
"""
# What is the same afterwards: contents, owners, modes and links, and the host key.
SUMS = """
cd / && find home usr/bin -xdev -printf '%p %U:%G %m %l\\n' | sort | sha256sum
find home usr/bin -xdev -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum
cat etc/ssh/ssh_host_ed25519_key.pub
"""
PORT = ("proxy", "listen=tcp:127.0.0.1:18080", "connect=tcp:127.0.0.1:80")


@pytest.fixture(scope="module")
def person(lab: Lab, key: Path) -> Iterator[dict[str, Any]]:
    with small_container(lab, NAME, key, disk="1500MiB", home="200MiB") as made:
        yield made


def _in(person: dict[str, Any], key: Path, script: str) -> Said:
    return ssh(person["ipv4"][0], NAME, key, [script])


def _sums() -> str:
    return lxc("exec", NAME, "--", "sh", "-c", SUMS)


def _config() -> dict[str, str]:
    return dict(query(f"/1.0/instances/{NAME}")["config"])


def test_files_come_back_and_nothing_else(lab: Lab, person: dict[str, Any], key: Path) -> None:
    assert _in(person, key, WORK).code == 0
    lxc("config", "device", "add", NAME, "port", *PORT)
    lxc("config", "set", NAME, "limits.cpu", "1")
    before = _sums()
    lab.succeed("snapshot", NAME, "good")
    document = lab.succeed("snapshots", NAME, "--json").document
    (one,) = document["snapshots"]
    assert (one["name"], one["by"], one["root"], one["home"]) == ("good", "hand", True, True)
    assert one["root_bytes"] is not None

    lxc("config", "device", "remove", NAME, "port")
    lxc("config", "unset", NAME, "limits.cpu")
    lab.succeed("resize", NAME, "--memory", "600MiB")
    assert "1 more key" not in lab.succeed("show", NAME).out
    lxc("exec", NAME, "--", "sh", "-c", f"rm -rf /home/{NAME}/work /home/{NAME}/.[a-z]* /usr/bin")
    assert lxc_ended("exec", NAME, "--", "sha256sum", "--version").returncode != 0
    said = lab.invoke("restore", NAME, "good")
    assert (said.code, "Confirm with --yes" in said.err) == (2, True)
    lab.succeed("restore", NAME, "good", "--yes")

    assert _sums() == before
    config, devices = _config(), query(f"/1.0/instances/{NAME}")["devices"]
    assert "port" not in devices
    assert (config.get("limits.cpu"), config["limits.memory"]) == (None, "600MiB")
    assert config.get("boot.autostart") != "false"
    assert not [key for key in config if key in {"user.lab.snapshot", "user.lab.restore"}]
    assert _in(person, key, "cat work/newest").out == "result 1\n"


def test_quotas_hold_afterwards(lab: Lab, person: dict[str, Any], key: Path) -> None:
    """Today's: btrfs brings back that of the snapshot."""
    lab.succeed("resize", NAME, "--home", "100MiB")
    lab.succeed("restore", NAME, "good", "--home", "--yes")
    full = _in(person, key, "head -c 300M /dev/urandom >~/big; sync; stat -c %s ~/big; rm ~/big")
    assert "quota exceeded" in full.err
    assert int(full.out) <= 100 << 20
    fill = "head -c 2G /dev/zero >/var/big; sync; stat -c %s /var/big; rm /var/big"
    root = lxc_ended("exec", NAME, "--", "sh", "-c", fill)
    assert int(root.stdout) < 1500 << 20


def test_one_file_comes_beside_that_of_today(lab: Lab, person: dict[str, Any], key: Path) -> None:
    _in(person, key, "echo spoilt >work/run-2")
    for path, name in (("work/run-2", "work/run-2"), ("work", "work")):
        said = lab.succeed("restore", NAME, "good", "--file", path)
        assert said.out == f"/home/{NAME}/{name}.restored-good\n"
    assert _in(person, key, "cat work/run-2.restored-good work/run-2").out == "result 2\nspoilt\n"
    looked = _in(
        person, key, "stat -c '%U %a' work.restored-good/run-2; readlink work.restored-good/newest"
    )
    assert looked.out == f"{NAME} 600\nrun-1\n"
    said = lab.invoke("restore", NAME, "good", "--file", "work")
    assert (said.code, "is there already" in said.err) == (2, True)
    devices = query(f"/1.0/instances/{NAME}")["devices"]
    assert "labstamp-copy" not in devices
    volumes = json.loads(lxc("storage", "volume", "list", devices["home"]["pool"], "-f", "json"))
    assert not [one for one in volumes if one["name"] == f"copy-{devices['home']['source']}"]


def test_killed_before_any_change_the_same_command_finishes(
    lab: Lab, person: dict[str, Any], key: Path
) -> None:
    """Stopped, as starts take most of the time."""
    _in(person, key, "echo years >thesis; sudo cp thesis /etc/mark")
    lxc("config", "set", NAME, "limits.cpu", "1")
    lab.succeed("snapshot", NAME, "thesis")
    lxc("config", "unset", NAME, "limits.cpu")
    _in(person, key, "rm thesis; sudo rm /etc/mark; sync")
    lab.succeed("stop", NAME)
    deaths = 0
    for changes in count():
        if not killed(lab, changes, "restore", NAME, "thesis", "--yes"):
            break
        deaths += 1
        if _config().get("limits.cpu") == "1":
            # As LXD has restored it: nothing starts it so.
            assert _config()["boot.autostart"] == "false"
        if changes > 0:
            waiting = lab.invoke("start", NAME)
            assert f"continue it: invoke restore {NAME} thesis" in waiting.err
        lab.succeed("restore", NAME, "thesis", "--yes")
        assert (_config().get("boot.autostart"), _config().get("limits.cpu")) == (None, None)
        assert lxc("file", "pull", f"{NAME}/etc/mark", "-") == "years\n"
        lxc("file", "delete", f"{NAME}/etc/mark")
    assert deaths >= 8
    lab.succeed("start", NAME)
    assert _in(person, key, "cat thesis").out == "years\n"


def test_a_snapshot_that_is_killed_leaves_no_half(lab: Lab, person: dict[str, Any]) -> None:
    for changes in count():
        if not killed(lab, changes, "snapshot", NAME, "half"):
            break
        lab.succeed("snapshot", NAME, "whole")
        found = lab.succeed("snapshots", NAME, "--json").document["snapshots"]
        assert all(one["root"] and one["home"] for one in found)
        assert _config().get("boot.autostart") != "false"
        for one in found:
            if one["name"] in {"whole", "half"}:
                lab.succeed("remove-snapshot", NAME, one["name"])
    assert changes >= 4


def test_a_home_is_removed_with_its_snapshots(lab: Lab, person: dict[str, Any]) -> None:
    said = lab.succeed("destroy", NAME, "--yes", "--purge")
    assert "with its snapshots good, thesis" in said.out
