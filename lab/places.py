"""Where labstamp's own files are, and where its settings and logs belong.

A wheel holds the directories of a checkout under the same names. So ROOT is the checkout, or the
`site-packages` of the environment that labstamp is installed in; `ROOT / "images"` is in both.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
CLOUD_INIT: Final = ROOT / "cloud-init"
EXAMPLE: Final = ROOT / "lab.example.yaml"
"""Every setting, as a comment."""
PEOPLE_EXAMPLE: Final = ROOT / "containers.example.yaml"
"""A lab of some people, as `apply` reads it."""

_NAME: Final = "labstamp"
_SETTINGS: Final = "lab.yaml"
_ETC: Final = Path("/etc") / _NAME
_LOG: Final = Path("/var/log") / _NAME
_VERSION: Final = re.compile(r'^version = "(.+)"$', re.MULTILINE)


def is_installed(root: Path = ROOT) -> bool:
    """Whether ROOT is no checkout: an installer leaves its record beside what it installs."""
    return _record(root) is not None


def version(root: Path = ROOT) -> str:
    record = _record(root)
    if record is not None:
        return record.name.removeprefix(f"{_NAME}-").removesuffix(".dist-info")
    found = _VERSION.search((root / "pyproject.toml").read_text(encoding="utf-8"))
    return found[1] if found else "unknown"


def settings_file(root: Path = ROOT) -> Path:
    """The one that is read where nobody names another; it need not be there."""
    return (_ETC if is_installed(root) else root) / _SETTINGS


def log_directory(
    root: Path = ROOT, environ: Mapping[str, str] = os.environ, uid: int | None = None
) -> Path:
    """In a checkout its own; else the machine's for root, and an account's state directory."""
    if not is_installed(root):
        return root / "logs"
    if (os.geteuid() if uid is None else uid) == 0:
        return _LOG
    state = Path(environ.get("XDG_STATE_HOME", ""))
    # The specification has relative ones ignored.
    return (state if state.is_absolute() else Path.home() / ".local/state") / _NAME


def environment(root: Path = ROOT) -> Path:
    """The Python environment that runs what is in ROOT."""
    return root.parents[2] if is_installed(root) else root / ".venv"


def program(root: Path = ROOT) -> Path:
    """What is typed to run it."""
    return environment(root) / "bin" / (_NAME if is_installed(root) else "invoke")


def installation(root: Path = ROOT) -> Path:
    """The directory that holds all of it: a checkout, or an environment."""
    return environment(root) if is_installed(root) else root


def root_in(directory: Path) -> Path:
    """The ROOT of the `installation` DIRECTORY."""
    for packages in sorted(directory.glob("lib/python3*/site-packages")):
        if is_installed(packages):
            return packages
    return directory


def _record(root: Path) -> Path | None:
    return next(root.glob(f"{_NAME}-*.dist-info"), None)
