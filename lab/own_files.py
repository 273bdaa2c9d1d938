"""Checks that files root runs and reads belong to root, or to the account that called sudo.

An account that can change the program can change this check as well: it finds open permissions
before somebody uses them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Final

from lab.errors import InputError
from lab.machine.ownership import ROOT_ALONE, Fault, faults
from lab.places import environment, installation, is_installed, root_in
from lab.settings.settings import Settings, settings_path

_SOURCES: Final = ("commands", "images", "provision", "host", "lab", "cloud-init", "ci")
_GIT: Final = ("config", "hooks")
"""What of a repository has git run programs."""
_SHOWN: Final = 5
_FOR_ROOT: Final = "env PIPX_HOME=/opt/pipx PIPX_BIN_DIR=/usr/local/bin pipx install CHECKOUT"
"""Puts it where only root may write."""


def insist_on_program(root: Path) -> None:
    """InputError where another account may write what root runs from ROOT (lab.places)."""
    insist("runs", (*_program(root), *_running()), _sources(root), whole=installation(root))


def insist_on_settings(root: Path) -> None:
    """The same for the settings file, before it is read."""
    insist("reads", [settings_path(root)])


def insist_on_named(settings: Settings) -> None:
    """The same for the files that SETTINGS name, and for all that is in directories they name."""
    insist("puts into containers", (), _named(settings.model_dump()))


def every_fault(
    root: Path,
    settings: Settings,
    owners: Collection[int],
    environ: Mapping[str, str] = os.environ,
) -> tuple[Fault, ...]:
    """All of that, and each file of the Python environment; for what runs unattended."""
    paths = (*_program(root), settings_path(root, environ))
    trees = (*_sources(root), environment(root), *_named(settings.model_dump()))
    return tuple(faults(paths, trees, owners))


def trusted(environ: Mapping[str, str] = os.environ) -> frozenset[int]:
    """Root, and who became root by sudo: sudo has let them run what they like."""
    caller = environ.get("SUDO_UID", "")
    return ROOT_ALONE | ({int(caller)} if caller.isdecimal() else set())


def insist(
    what: str,
    paths: Iterable[Path],
    trees: Iterable[Path] = (),
    *,
    whole: Path | None = None,
) -> None:
    """InputError where an account that is not `trusted` may write one of PATHS, or in TREES.

    Does nothing for a process that is not root. WHAT root does with them, in words: "runs".
    WHOLE: the directory that is fixed as a whole.
    """
    if os.geteuid() == 0 and (found := tuple(faults(paths, trees, trusted()))):
        raise refusal(
            f"Another account may change files that root {what}, and could so become root.",
            found,
            whole,
        )


def refusal(
    brief: str,
    found: Sequence[Fault],
    whole: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> InputError:
    """The faults FOUND, and the commands that fix them; one command for all in WHOLE."""
    # Root by way of sudo types at a prompt that is not root's.
    sudo = "sudo " if environ.get("SUDO_UID") else ""
    commands = dict.fromkeys(_mending(one, whole, sudo) for one in found)
    # A directory above several of the paths is found once for each.
    lines = list(dict.fromkeys(map(str, found)))
    more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return InputError(
        brief,
        details="\n".join([*lines[:_SHOWN], *more]),
        fix="Check whether somebody changed it, then run:\n" + "\n".join([*commands][:_SHOWN]),
    )


def _mending(fault: Fault, whole: Path | None, sudo: str) -> str:
    if whole is not None and fault.path.is_relative_to(whole):
        place = quote(str(whole))
        return f"{sudo}chown -R root: {place} && {sudo}chmod -R go-w {place}"
    if whole is not None and whole.is_relative_to(fault.path) and fault.command.startswith("chown"):
        # Somebody's home, most likely.
        if is_installed(root_in(whole)):
            return f"{sudo}{_FOR_ROOT}"  # an environment does not run where it is moved to
        there = quote(f"/opt/{whole.name}")
        return f"{sudo}mv {quote(str(whole))} /opt/ && {sudo}chown -R root: {there}"
    return f"{sudo}{fault.command}"


def _program(root: Path) -> Iterator[Path]:
    yield from (root, root / "tasks.py", environment(root))
    for repository in _repositories(root / ".git"):
        for part in _GIT:
            yield repository / part


def _running() -> Iterator[Path]:
    """What runs this very process."""
    yield Path(sys.executable)
    for place in map(Path, sys.path):
        yield place
        if place.is_relative_to(sys.prefix) and place.is_dir():
            yield from place.iterdir()


def _sources(root: Path) -> Iterator[Path]:
    for tree in _SOURCES:
        yield root / tree


def _named(value: object) -> Iterator[Path]:
    """The paths in VALUE, however deep; `{version}` in one stands for any."""
    if isinstance(value, Path):
        pattern = value.name.replace("{version}", "*")
        yield from value.parent.glob(pattern) if pattern != value.name else (value,)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _named(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _named(one)


def _repositories(git: Path) -> Iterator[Path]:
    """That of a checkout; of a further worktree also the one that it belongs to."""
    if git.is_dir():
        yield git
    elif git.is_file():
        own = git.parent / git.read_text(encoding="utf-8").partition("gitdir: ")[2].strip()
        yield own
        common = own / "commondir"
        if common.is_file():
            yield own / common.read_text(encoding="utf-8").strip()
