"""Whether the file system of a share keeps owners and access lists: found out by trying."""

from __future__ import annotations

import errno
import os
import secrets
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from lab.errors import InputError
from lab.machine.access import allow, may_change, named
from lab.machine.mounts import Mount

_NAME: Final = ".labstamp-trial-"
_SECONDS: Final = 30.0


def try_owners(path: str, uid: int, mount: Mount) -> None:
    """InputError unless a file that UID makes in PATH belongs to UID."""
    name = f"{_NAME}{secrets.token_hex(4)}"
    try:
        _as(uid, path, ["touch", name])
        owner = os.lstat(f"{path}/{name}").st_uid
    except OSError as error:
        raise _no_write(path, uid, mount, error.strerror) from error
    finally:
        # By who made it: the server's root may be nobody there.
        with suppress(OSError):
            _as(uid, path, ["rm", "-f", name])
    if owner != uid:
        raise _no_owners(path, owner, mount)


def try_lists(path: str, ids: Sequence[int], mount: Mount) -> None:
    """InputError unless IDS can be let into what they make in PATH for one another."""
    trial = Path(path, f"{_NAME}{secrets.token_hex(4)}")
    maker = ids[-1]
    try:
        trial.mkdir(0o700)
        allow(trial, ids, lambda _count: None)
        _as(maker, str(trial), ["touch", "file"])
        owner, heirs = (trial / "file").lstat().st_uid, named(trial / "file")
        is_kept = may_change(trial, ids) and set(ids) <= heirs
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            raise _no_lists(path, mount) from error
        raise _no_write(path, maker, mount, error.strerror) from error
    finally:
        with suppress(OSError):
            (trial / "file").unlink()
        with suppress(OSError):
            trial.rmdir()
    if owner != maker:
        raise _no_owners(path, owner, mount)
    if not is_kept:
        raise _no_lists(path, mount)


def _as(uid: int, directory: str, argv: Sequence[str]) -> None:
    """Run ARGV as the account of a container would, whose id on the server is UID."""
    try:
        ended = subprocess.run(
            list(argv),
            cwd=directory,
            user=uid,
            group=uid,
            extra_groups=[],
            umask=0o022,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(errno.ETIMEDOUT, f"no answer within {_SECONDS:.0f} s") from error
    if ended.returncode != 0:
        raise PermissionError(errno.EACCES, ended.stderr.strip().rpartition(": ")[2])


def _no_write(path: str, uid: int, mount: Mount, why: str | None) -> InputError:
    return InputError(
        f"The id {uid} cannot write files of its own in {path} ({mount.kind}): {why}.",
        fix="Share it as kind: read-only, or correct the right to write at its server: NFS needs\n"
        "no_root_squash for this host, so that root may give rights and remove the trial.",
    )


def _no_owners(path: str, owner: int, mount: Mount) -> InputError:
    return InputError(
        f"Files in {path} all belong to the id {owner}: {mount.kind} at {mount.point} keeps no "
        "owners.",
        details="So everybody in such a share may read and delete the files of all others.",
        fix="Share it as kind: read-only, or use a file system with owners: a local disk, or NFS "
        "without all_squash.",
    )


def _no_lists(path: str, mount: Mount) -> InputError:
    return InputError(
        f"{path} cannot be an open share: {mount.kind} at {mount.point} keeps no POSIX access "
        "lists.",
        fix="Mount NFS with vers=3, which has them, use a local disk, or share it as kind: "
        "private-files.",
    )
