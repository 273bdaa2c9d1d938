"""A container gets a root of the next release, returns to the earlier one, and loses nothing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.live_lab.gpu_containers import destroy
from tests.support.live_lab.killed import killed
from tests.support.live_lab.lab import Said, instances, lxc, lxc_ended, query, ssh
from tests.support.live_lab.removing import remove_lab
from tests.support.live_lab.tiny import Tiny, make_tiny

pytestmark = pytest.mark.plain

PREFIX = "ltup"
PROJECT = "ltup-build"
TEMPLATE = "upgraded"
NAME = "ltup-ann"
WORK = """
set -e
mkdir -p ~/work && cd ~/work
for n in $(seq 200); do echo "result $n" >"$n"; done
ln -s 1 link; chmod 600 2; mkdir -p deep/er; echo words >deep/er/thesis
echo '17 3 * * * echo nightly' | crontab - 2>/dev/null || true
sudo sh -c 'echo by hand >/opt/mine; echo changed >/etc/motd; echo new >/etc/new.conf'
"""
SUMS = (
    "cd ~/work && find . -printf '%p %m %U %l\\n' | sort && find . -type f | sort | xargs sha256sum"
)


@pytest.fixture(scope="module")
def tiny(source: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    """A lab with one release, and what a second one is made from."""
    remove_lab(PREFIX, PROJECT)
    tiny = make_tiny(tmp_path_factory.mktemp("upgrade"), source, TEMPLATE)
    tiny.set(**{"alias-prefix": PREFIX, "build-project": PROJECT, "source": source})
    _release(tiny, "first")
    yield tiny
    destroy(tiny.lab, [NAME])
    remove_lab(PREFIX, PROJECT)


@pytest.fixture(scope="module")
def person(tiny: Tiny, key: Path) -> dict[str, Any]:
    """ann has worked in her container; users get a newer release by now."""
    lab = tiny.lab
    destroy(lab, [NAME])
    public = str(key.with_suffix(".pub"))
    options = ("--template", TEMPLATE, "--gpus", "none", "--memory", "256MiB", "--password")
    told: dict[str, Any] = lab.succeed(
        "provision", NAME, *options, "--key", public, "--json"
    ).document
    assert ssh(told["ipv4"][0], NAME, key, [WORK]).code == 0
    lxc("config", "device", "add", NAME, "tty", "unix-char", "path=/dev/ttyX", "source=/dev/null")
    _release(tiny, "second")
    return told


def _release(tiny: Tiny, words: str) -> None:
    tiny.boot_with(f"runcmd: [[sh, -c, 'echo {words} >/etc/release-of-tests']]\n")
    tiny.lab.succeed("build-images")


def _as_user(person: dict[str, Any], key: Path, script: str) -> Said:
    return ssh(person["ipv4"][0], NAME, key, [script])


def _host_keys(address: str) -> list[str]:
    ended = subprocess.run(
        ["ssh-keyscan", "-T", "10", address], capture_output=True, text=True, check=True
    )
    return sorted(line for line in ended.stdout.splitlines() if not line.startswith("#"))


def _identity(person: dict[str, Any], key: Path) -> dict[str, Any]:
    """What its user would notice."""
    found = query(f"/1.0/instances/{NAME}")
    shadow = lxc("exec", NAME, "--", "getent", "shadow", NAME)
    return {
        "sums": _as_user(person, key, SUMS).out,
        "host keys": _host_keys(person["ipv4"][0]),
        "password": shadow.split(":")[1],
        "machine": lxc("exec", NAME, "--", "cat", "/etc/machine-id"),
        "mac": found["config"]["volatile.eth0.hwaddr"],
        "ids": found["config"]["security.idmap.base"],
        "memory": found["config"]["limits.memory"],
        "devices": found["devices"],
        "addresses": lxc("query", f"/1.0/instances/{NAME}/state").count(person["ipv4"][0]),
    }


def _release_in(name: str) -> str:
    return lxc("exec", name, "--", "cat", "/etc/release-of-tests").strip()


def test_the_plan_names_what_is_not_kept(tiny: Tiny, person: dict[str, Any]) -> None:
    said = tiny.lab.succeed("upgrade", NAME, "--plan").out
    assert f"{NAME}: upgrade from {TEMPLATE} " in said
    changed = next(line for line in said.splitlines() if "changed in /etc" in line)
    assert changed == "  changed in /etc: /etc/motd, /etc/new.conf"
    assert "packages added by hand: none" in said


def test_a_new_root_and_the_way_back(tiny: Tiny, person: dict[str, Any], key: Path) -> None:
    lab = tiny.lab
    before = _identity(person, key)
    assert before["sums"].count("\n") > 400
    said = lab.succeed("upgrade", NAME)
    assert "it was down for " in said.err
    assert _release_in(NAME) == "second"
    assert _identity(person, key) == before
    assert lxc_ended("exec", NAME, "--", "cat", "/opt/mine").returncode != 0
    assert lab.succeed("upgrade", NAME).out.endswith("nothing to do.\n")
    shown = lab.succeed("show", NAME, "--json").document
    assert shown["kept_root"]["name"] == f"{NAME}-kept"
    assert [one["name"] for one in lab.succeed("list", "--json").document["containers"]].count(
        f"{NAME}-kept"
    ) == 0

    _as_user(person, key, "sudo sh -c 'echo since >/opt/since'")
    lab.succeed("upgrade", NAME, "--back")
    assert _release_in(NAME) == "first"
    assert _identity(person, key) == before
    assert lxc("exec", NAME, "--", "cat", "/opt/mine") == "by hand\n"
    lab.succeed("upgrade", NAME, "--back")
    assert lxc("exec", NAME, "--", "cat", "/opt/since") == "since\n"
    assert _identity(person, key) == before
    lab.succeed("upgrade", NAME, "--forget", "--yes")
    assert [one for one in instances("default") if one.startswith(NAME)] == [NAME]


def test_killed_before_some_of_its_changes_the_next_run_ends_it(
    tiny: Tiny, person: dict[str, Any], key: Path
) -> None:
    """At all of them in memory (tests/unit/test_upgrade.py)."""
    lab = tiny.lab
    before = _identity(person, key)
    (versions,) = json.loads(lab.succeed("images", "--json").out)["templates"]
    second, first = [one["version"] for one in versions["versions"]]
    for number, changes in enumerate((9, 16, 20)):
        target = (first, second)[number % 2]
        assert killed(lab, changes, "upgrade", NAME, "--to", target)
        refused = lab.invoke("destroy", NAME, "--yes", "--purge")
        assert (refused.code, "is being upgraded" in refused.err) == (2, True), refused.err
        lab.succeed("upgrade", NAME, "--to", target)
        assert _identity(person, key) == before
        lab.succeed("upgrade", NAME, "--forget", "--yes")
    assert [one for one in instances("default") if one.startswith(NAME)] == [NAME]
