"""host.setup raises the kernel's limits; the file that keeps them dies with the test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from host.machine import Machine
from host.units.kernel_limits import FILE, WANTED, read_limits, too_low
from tests.support.live_lab.lab import INVOKE, ROOT, Said

pytestmark = pytest.mark.plain

SETTINGS_DIRECTORY = str(Path(FILE).parent)


@pytest.fixture(autouse=True)
def _as_they_were() -> Iterator[None]:
    """And two of them low, also on a machine that was set up: nobody here misses these."""
    before = read_limits(Machine())
    _set({"fs.aio-max-nr": 65536, "fs.inotify.max_queued_events": 16384})
    yield
    _set(before)


def _set(values: Mapping[str, int]) -> None:
    for key, value in values.items():
        Path("/proc/sys", *key.split(".")).write_text(f"{value}\n")


def typed(etc: Path, *arguments: str) -> Said:
    """`invoke ARGUMENTS` by root, with ETC in the place of /etc/sysctl.d."""
    script = f'mount --bind "$1" {SETTINGS_DIRECTORY} && shift && exec "$@"'
    ended = subprocess.run(
        [
            *("unshare", "--mount", "--propagation", "private", "bash", "-c", script, "bash"),
            *(str(etc), str(INVOKE), *arguments),
        ],
        cwd=ROOT,
        env={**os.environ, "CI": "true"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Said(code=ended.returncode, out=ended.stdout, err=ended.stderr)


def low(said: Said) -> set[str]:
    return {
        one["subject"]
        for one in said.document["checks"]
        if one["name"] == "kernel-limits" and one["status"] == "warn"
    }


def test_limits_are_raised_once_and_known_to_host_check(tmp_path: Path) -> None:
    expected = set(too_low(read_limits(Machine())))
    assert expected >= {"fs.aio-max-nr", "fs.inotify.max_queued_events"}
    assert low(typed(tmp_path, "host.check", "--json")) == expected
    said = typed(tmp_path, "host.setup")
    assert said.code == 0, said.err
    assert "raise limits of the kernel" in said.out
    now = read_limits(Machine())
    assert all(value >= WANTED[key] for key, value in now.items())
    kept = (tmp_path / Path(FILE).name).read_text()
    assert all(f"{key} = {WANTED[key]}\n" in kept for key in expected)
    again = typed(tmp_path, "host.setup")
    assert (again.code, again.out) == (0, "The host is set up; nothing to do.\n")
    assert low(typed(tmp_path, "host.check", "--json")) == set()
