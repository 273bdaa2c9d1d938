"""Somebody with a small container, for the tests of one module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.live_lab.gpu_containers import destroy
from tests.support.live_lab.lab import Lab


@contextmanager
def small_container(
    lab: Lab, name: str, key: Path, *, disk: str = "3GiB", home: str = "100MiB"
) -> Iterator[dict[str, Any]]:
    """What `provision --json` told of it."""
    destroy(lab, [name])
    command = ("provision", name, "--gpus", "none", "--key", str(key.with_suffix(".pub")))
    sizes = ("--memory", "512MiB", "--disk", disk, "--home", home, "--json")
    yield lab.succeed(*command, *sizes).document
    destroy(lab, [name])
