"""A container gets other limits and quotas while somebody works in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.wait import poll
from tests.support.live_lab.lab import Lab, Said, lxc, lxc_ended, ssh
from tests.support.live_lab.people import small_container

pytestmark = pytest.mark.plain

NAME = "lt-size"
FILL = "head -c 200M /dev/zero >~/big; sync; stat -c %s ~/big"
HOLDS = "until grep -q 1 ~/hog; do sleep 0.1; done"
# The share of a container in the kernel's own files, in either layout of cgroups.
MEMORY = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null"


@pytest.fixture(scope="module")
def person(lab: Lab, key: Path) -> Iterator[dict[str, Any]]:
    with small_container(lab, NAME, key) as made:
        yield made


def _in(person: dict[str, Any], key: Path, script: str) -> Said:
    return ssh(person["ipv4"][0], NAME, key, [script])


def test_more_of_everything_while_it_runs(lab: Lab, person: dict[str, Any], key: Path) -> None:
    pid = lxc("exec", NAME, "--", "cat", "/proc/1/stat").split()[21]
    assert int(_in(person, key, FILL).out) < 100 << 20
    wanted = ("--memory", "1GiB", "--home", "400MiB", "--disk", "4GiB", "--processes", "3000")
    said = lab.succeed("resize", NAME, *wanted, "--cpus", "1").out
    assert "home: 100.0 MiB now, 400.0 MiB requested\n" in said
    assert "memory: 512.0 MiB now, 1.0 GiB requested\n" in said
    assert _in(person, key, FILL).out == f"{200 << 20}\n"
    assert str(1 << 30) in lxc_ended("exec", NAME, "--", "sh", "-c", MEMORY).stdout.split()
    # LXD says that it has the limit, and gives the CPUs out a moment later.
    poll(lambda: _in(person, key, "nproc").out == "1\n" or None, what="one CPU", timeout=60)
    # Nothing was restarted.
    assert lxc("exec", NAME, "--", "cat", "/proc/1/stat").split()[21] == pid
    assert lab.succeed("resize", NAME, *wanted).out.endswith("nothing to do.\n")
    shown = lab.succeed("show", NAME, "--json").document
    assert (shown["memory_bytes"], shown["cpus"], shown["processes"]) == (1 << 30, 1, 3000)


def test_less_than_what_is_in_use_is_refused(lab: Lab, person: dict[str, Any], key: Path) -> None:
    before = lab.succeed("show", NAME, "--json").document["volumes"]
    _in(person, key, FILL)
    said = lab.invoke("resize", NAME, "--home", "150MiB")
    assert (said.code, "150.0 MiB is too small for the home" in said.err) == (3, True)
    hog = "python3 -c 'x = b\"x\" * (400 << 20); print(1, flush=True); input()'"
    _in(person, key, f"(sleep 600 | {hog}) >~/hog 2>&1 </dev/null & {HOLDS}")
    said = lab.invoke("resize", NAME, "--memory", "300MiB")
    assert (said.code, "is less than lt-size needs now" in said.err) == (3, True), said.err
    after = lab.succeed("show", NAME, "--json").document["volumes"]
    assert [one["size_bytes"] for one in after] == [one["size_bytes"] for one in before]


def test_provision_names_it_and_is_satisfied_afterwards(
    lab: Lab, person: dict[str, Any], key: Path
) -> None:
    command = ("provision", NAME, "--gpus", "none", "--key", str(key.with_suffix(".pub")))
    sizes = ("--cpus", "1", "--memory", "1GiB", "--disk", "5GiB", "--home", "400MiB")
    said = lab.invoke(*command, *sizes)
    assert (said.code, f"invoke resize {NAME} --disk 5GiB" in said.err) == (2, True), said.err
    lab.succeed("resize", NAME, "--disk", "5GiB")
    assert "nothing was changed" in lab.succeed(*command, *sizes).out
