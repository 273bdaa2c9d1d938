"""LXD and other tools as a person at a shell calls them, with all they say in one log."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.errors import LxdError

WAIT_SECONDS = 3600


def run(
    argv: Sequence[str], log: Path, *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> str:
    """Run ARGV to its end and return what it printed on stdout; LxdError when it fails."""
    began = time.monotonic()
    ended = subprocess.run(
        list(argv),
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=WAIT_SECONDS,
        check=False,
    )
    took = time.monotonic() - began
    with log.open("a", encoding="utf-8") as file:
        file.write(f"+ {' '.join(argv)}\n{ended.stdout}{ended.stderr}[{took:.1f} s]\n")
    if ended.returncode != 0:
        last = (ended.stdout + ended.stderr).splitlines()[-15:]
        raise LxdError(
            f"{' '.join(argv)[:120]} failed with exit code {ended.returncode}.",
            details="\n".join(last),
            fix=f"Read the full log: {log}",
        )
    return ended.stdout


def query(path: str) -> Any:
    """GET a path of LXD's API."""
    answer = subprocess.run(
        ["lxc", "-q", "query", path], check=True, capture_output=True, text=True, timeout=60
    )
    return json.loads(answer.stdout)


def addresses(name: str) -> list[str]:
    """Where an instance is reached by IPv4; none yet while it boots."""
    network = query(f"/1.0/instances/{name}/state")["network"] or {}
    found = network.get("eth0", {}).get("addresses", ())
    return [one["address"] for one in found if one["family"] == "inet"]


def remove_instances(prefix: str, log: Path, project: str = "default") -> None:
    """Delete the instances of PROJECT whose names begin with PREFIX."""
    for path in query(f"/1.0/instances?project={project}"):
        name = path.rsplit("/", 1)[1].partition("?")[0]
        if name.startswith(prefix):
            run(["lxc", "-q", "--project", project, "delete", "--force", name], log)


def remove_images(prefix: str, log: Path) -> None:
    """Delete the images that have an alias beginning with PREFIX."""
    for image in _images(prefix):
        run(["lxc", "-q", "image", "delete", image["fingerprint"]], log)


def image_sizes(prefix: str) -> dict[str, int]:
    """Bytes of the images with an alias of PREFIX and a template's name, by that name."""
    return {
        alias["name"].removeprefix(prefix): image["size"]
        for image in _images(prefix)
        for alias in image["aliases"]
        if "/" not in alias["name"].removeprefix(prefix)
    }


def _images(prefix: str) -> list[Any]:
    return [
        image
        for image in query("/1.0/images?recursion=1")
        if any(alias["name"].startswith(prefix) for alias in image["aliases"])
    ]
