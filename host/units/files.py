"""Files and links that labstamp puts on the machine, and takes away again: these and no others."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from host.machine import Machine
from lab.errors import InputError, LxdError

MARK: Final = "Made by labstamp"
"""Stands in the first lines of each of our files. One without it is somebody else's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFile:
    path: str
    text: str
    mode: int = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLink:
    path: str
    target: str


Piece = HostFile | HostLink


def missing_pieces(pieces: Sequence[Piece], machine: Machine) -> tuple[Piece, ...]:
    """Those that are not there, or are not as they should be."""
    return tuple(piece for piece in pieces if not _is_there(piece, machine.at(piece.path)))


def install_piece(pieces: Sequence[Piece], machine: Machine) -> tuple[Piece, ...]:
    """Make the missing files and return them. InputError when a file exists that is not ours."""
    missing = missing_pieces(pieces, machine)
    for piece in missing:
        _refuse_foreign(piece, machine.at(piece.path))
    for piece in missing:
        _write(piece, machine.at(piece.path))
    return missing


def remove_piece(pieces: Sequence[Piece], machine: Machine) -> tuple[Piece, ...]:
    """Remove those that are ours, and the directories they leave empty; return what was removed."""
    removed = tuple(piece for piece in pieces if _is_ours(piece, machine.at(piece.path)))
    for piece in removed:
        machine.at(piece.path).unlink()
        _remove_empty(PurePosixPath(piece.path).parent, machine)
    return removed


def _is_there(piece: Piece, at: Path) -> bool:
    try:
        if isinstance(piece, HostLink):
            return str(at.readlink()) == piece.target
        right_mode = at.stat().st_mode & 0o777 == piece.mode
        return right_mode and at.read_text(encoding="utf-8", errors="replace") == piece.text
    except OSError:
        return False


def _is_ours(piece: Piece, at: Path) -> bool:
    if isinstance(piece, HostLink):
        return at.is_symlink() and PurePosixPath(at.readlink()).name == _name(piece.target)
    try:
        return MARK in at.read_text(encoding="utf-8", errors="replace")[:400]
    except OSError:
        return False


def _refuse_foreign(piece: Piece, at: Path) -> None:
    if os.path.lexists(at) and not _is_ours(piece, at):
        raise InputError(
            f"{piece.path} exists, and labstamp did not make it.",
            details="Nothing was changed.",
            fix=f"Check what it is, move it away, and run this again: mv {piece.path} "
            f"{piece.path}.old",
        )


def _write(piece: Piece, at: Path) -> None:
    try:
        _make(piece, at)
    except OSError as error:
        raise LxdError(
            f"{piece.path} cannot be written.",
            details=str(error),
            fix="Check that its disk has free space and is not mounted read-only.",
        ) from error


def _make(piece: Piece, at: Path) -> None:
    at.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    if isinstance(piece, HostLink):
        at.unlink(missing_ok=True)
        at.symlink_to(piece.target)
        return
    # systemd may read at any moment: the file is whole or not there.
    handle, name = tempfile.mkstemp(dir=at.parent, prefix=f".{at.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(piece.text)
        Path(name).chmod(piece.mode)
        Path(name).replace(at)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _remove_empty(directory: PurePosixPath, machine: Machine) -> None:
    """Only directories of our name; rmdir refuses what is not empty."""
    if directory.name == "labstamp":
        with contextlib.suppress(OSError):
            machine.at(str(directory)).rmdir()


def _name(path: str) -> str:
    return PurePosixPath(path).name
