"""The tiny lab with a driver in its releases, and eyes on what is in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.live_lab.aptrepo import AptRepository
from tests.support.live_lab.lab import Said, lxc
from tests.support.live_lab.tiny import STABLE, Tiny

SMI = {"name": "nvidia-smi", "kind": "gpu"}
LOOK = "lt-look"


def drive(tiny: Tiny, *checks: dict[str, object], **driver: object) -> None:
    """Settings with DRIVER, and a definition with CHECKS beside nvidia-smi's."""
    source = json.loads(tiny.lab.settings.read_text())["source"]
    tiny.define(checks=[SMI, *checks])
    tiny.set(source=source, driver={"delivery": "image", **driver})


def pack_inside(tiny: Tiny) -> None:
    """Have images packed as they are by default: by their builders."""
    settings = json.loads(tiny.lab.settings.read_text())
    tiny.lab.settings.write_text(json.dumps(settings | {"compression": "zstd"}))


def runs(name: str, *argv: str, shows: str) -> dict[str, object]:
    """A check: ARGV prints something that matches SHOWS."""
    return {"name": name, "kind": "command", "run": list(argv), "stdout": shows}


def bring_archive(tiny: Tiny, repository: AptRepository) -> None:
    """Have apt in tiny's body know REPOSITORY."""
    line = f"deb [signed-by=/etc/apt/standin.asc] {repository.url} ./"
    files = [
        {"path": "/etc/apt/sources.list.d/standin.list", "content": line + "\n"},
        {"path": "/etc/apt/standin.asc", "content": repository.key.read_text()},
    ]
    tiny.boot_with(f"write_files: {json.dumps(files)}\n")


def newest(tiny: Tiny) -> dict[str, Any]:
    """What `invoke images` says of tiny's newest release."""
    (template,) = tiny.lab.succeed("images", "--json").document["templates"]
    version: dict[str, Any] = template["versions"][0]
    return version


def decisions(said: Said) -> list[str]:
    return [line.split(" ", 1)[1] for line in said.err.splitlines() if ": build" in line]


@contextmanager
def running(image: str = STABLE) -> Iterator[str]:
    """A container of IMAGE, gone afterwards; commands in it by `inside`."""
    lxc("init", image, LOOK)
    try:
        lxc("start", LOOK)
        yield LOOK
    finally:
        lxc("delete", "--force", LOOK)


def inside(*argv: str) -> str:
    return lxc("exec", LOOK, "--", *argv)
