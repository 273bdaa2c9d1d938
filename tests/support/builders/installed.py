"""An installed labstamp, as far as it is told from a checkout: its record, and its program."""

from __future__ import annotations

from pathlib import Path


def environment_in(directory: Path, python: str = "python3.12") -> Path:
    """Made in DIRECTORY; the ROOT (lab.places) of what is installed there."""
    root = directory / "lib" / python / "site-packages"
    (root / "labstamp-1.2.3.dist-info").mkdir(parents=True)
    (root / "lab").mkdir()
    (root / "lab/places.py").write_text("")
    (root / "tasks.py").write_text("")
    (directory / "bin").mkdir(exist_ok=True)
    for name in ("labstamp", "python"):
        (directory / "bin" / name).write_text("#!/bin/sh\n")
    return root
