"""LXDs that tests start beside the one they share: where they live, and their end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SANDBOX: Final = Path(__file__).parents[3] / "ci" / "sandbox"
PLACE: Final = "TEST_LXD_DIR"
"""Set by ci/test, which clears it: a run that is killed leaves nothing for long."""


def directory(name: str) -> Path:
    """For an LXD called NAME. Short, and not pytest's: a socket's path has at most 107 bytes."""
    place = os.environ.get(PLACE)
    is_managed = f"{name}-{os.getpid()}"
    return Path(place, is_managed) if place else Path("/var/lib", f"lxd-{is_managed}")


def sandbox(
    environ: Mapping[str, str], *arguments: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """`ci/sandbox ARGUMENTS` in ENVIRON, which says for which daemon (LXD_DIR)."""
    ended = subprocess.run(
        [str(SANDBOX), *arguments],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert not check or ended.returncode == 0, ended.stdout + ended.stderr
    return ended


def run_sandbox(lxd: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """`ci/sandbox ARGUMENTS` for the daemon in the directory LXD."""
    return sandbox({**os.environ, "LXD_DIR": str(lxd)}, *arguments, check=check)
