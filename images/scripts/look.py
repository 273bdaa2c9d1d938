#!/usr/bin/env python3
"""Lists what in this root file system looks secret, or was written within a span of time; and
device nodes, set-uid programs and capabilities that no package brought.

    look.py [AFTER UNTIL]        seconds since 1970, with fractions

Prints a JSON list of {path, sign, sha256} for the former, of {path, special} for the latter. Knows
no names of files: a template's own units make keys and tokens whose names nobody else knows. What
a package ships is left out, and what Python compiled of it. Runs in an instance of an image, by
the image's own Python (3.9 or later).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# A key's text in a program that reads keys is followed by other things than a key.
KEY = re.compile(
    rb"^-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----\r?\n[A-Za-z0-9+/=:, -]+\r?$|^PuTTY-User-Key-File-\d",
    re.MULTILINE,
)
TOKEN = re.compile(rb"[0-9a-fA-F-]{32,}|[A-Za-z0-9+/_=-]{40,}")
PACKED = (
    *(b"\x1f\x8b", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"BZh", b"PK\x03\x04", b"!<arch>\n"),
    *(b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x7fELF", b"OggS", b"wOF"),
)
"""How compressed files, pictures and programs begin: full of bytes, and no secrets."""
READ = 64 * 1024
"""Larger files are not read: keys are short."""
SHORT = range(16, 4097)
"""Bytes of what may be nothing but a secret."""
CAPABILITIES = (
    *("chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid"),
    *("setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw"),
    *("ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace"),
    *("sys_pacct", "sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time"),
    *("sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap"),
    *("mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read"),
    *("perfmon", "bpf", "checkpoint_restore"),
)
"""By number, see capabilities(7)."""
USUAL = {"net_bind_service", "net_admin", "net_raw", "ipc_lock", "sys_nice"}
"""What packages give their programs when they are installed: ping, dumpcap, gnome-keyring."""
MAPPERS = {"/usr/bin/newuidmap": {"setuid"}, "/usr/bin/newgidmap": {"setgid"}}
WHITEOUT = 0
"""How overlay says that a file is gone: a character device of this number."""
MERGED = ("/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/")


def shipped() -> set[str]:
    """All paths that dpkg knows, as they are found below /usr where that is merged."""
    merged = Path("/bin").is_symlink()
    known = set()
    for listing in Path("/var/lib/dpkg/info").glob("*.list"):
        for line in listing.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            known.add(f"/usr{line}" if merged and line.startswith(MERGED) else line)
    return known


@contextmanager
def bare() -> Iterator[str]:
    """The root file system without what is mounted on it, as a directory: /dev is its own then.

    As it is where it cannot be mounted.
    """
    directory = tempfile.mkdtemp(prefix="look-", dir="/run" if Path("/run").is_dir() else "/")
    mounted = False
    try:
        done = subprocess.run(["mount", "--bind", "/", directory], capture_output=True, check=False)
        mounted = done.returncode == 0
    except OSError:
        pass
    try:
        yield directory if mounted else "/"
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", directory], capture_output=True, check=False)
        Path(directory).rmdir()


def files(root: str) -> Iterator[tuple[str, os.stat_result]]:
    """Path below ROOT and status of all that is no directory, socket or pipe, nor mounted there."""
    device = Path(root).stat().st_dev
    start = root.rstrip("/")
    waiting = [root]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                mode = status.st_mode
                if status.st_dev != device:
                    continue
                if stat.S_ISDIR(mode):
                    waiting.append(entry.path)
                elif not stat.S_ISFIFO(mode) and not stat.S_ISSOCK(mode):
                    yield entry.path[len(start) :], status


def special(path: str, status: os.stat_result, known: set[str], root: str) -> str:
    """What power a file gives to whoever opens or runs it, and should not; empty where none."""
    mode, number = status.st_mode, status.st_rdev
    if stat.S_ISBLK(mode) or (stat.S_ISCHR(mode) and number != WHITEOUT):
        kind = "block" if stat.S_ISBLK(mode) else "character"
        return f"{kind} device {os.major(number)}:{os.minor(number)}"
    if not stat.S_ISREG(mode) or not mode & 0o111:
        return ""
    # Without the x of the group the bit means something else.
    as_other = mode & stat.S_ISUID or (mode & stat.S_ISGID and mode & stat.S_IXGRP)
    if as_other:
        name = "set-uid" if mode & stat.S_ISUID else "set-gid"
        if mode & stat.S_IWOTH:
            return f"{name}, and everybody may write it"
        if path not in known:
            return f"{name}, of no package"
    given = capabilities(root.rstrip("/") + path)
    fine = (USUAL | MAPPERS.get(path, set())) if path in known else set()
    return f"capabilities {' '.join(sorted(given))}" if given - fine else ""


def capabilities(path: str) -> set[str]:
    """Those that a program gets from its file (vfs_cap_data in linux/capability.h)."""
    try:
        packed = os.getxattr(path, "security.capability", follow_symlinks=False)
    except OSError:
        return set()
    words = struct.unpack(f"<{len(packed) // 4}I", packed[: len(packed) // 4 * 4])
    # After the revision: permitted and inheritable, 32 of each at a time.
    bits = sum(word << 32 * n for n, word in enumerate(words[1:5:2]))
    return {
        CAPABILITIES[n] if n < len(CAPABILITIES) else str(n) for n in range(64) if bits >> n & 1
    }


def compiled(path: str) -> bool:
    """Whether PATH is Python's own copy of a source beside it."""
    directory, _, name = path.rpartition("/")
    parent, _, last = directory.rpartition("/")
    return last == "__pycache__" and Path(parent, name.partition(".")[0] + ".py").exists()


def is_random(content: bytes) -> bool:
    """Whether CONTENT has as many different bytes as chance would give it, and is no text."""
    if content.startswith(PACKED):
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        expected = 256 * (1 - (255 / 256) ** len(content))
        return len(set(content)) > 0.85 * expected
    return False


def sign(status: os.stat_result, content: bytes) -> str:
    """What about a file looks secret; empty where nothing does."""
    if stat.S_ISLNK(status.st_mode):
        return ""
    if KEY.search(content):
        return "private key"
    if status.st_size in SHORT:
        if TOKEN.fullmatch(content.strip()):
            return "token"
        if is_random(content):
            return "random bytes"
    if not status.st_mode & 0o077:
        return "readable by its owner alone"
    return ""


def main(span: list[str]) -> None:
    after, until = (float(moment) for moment in span) if span else (float("inf"), 0.0)
    known, found = shipped(), []
    with bare() as root:
        for path, status in files(root):
            if power := special(path, status, known, root):
                found.append({"path": path, "special": power})
            late = after < status.st_mtime <= until
            if not status.st_size or (not late and (path in known or compiled(path))):
                continue
            content = b""
            if stat.S_ISREG(status.st_mode) and status.st_size <= READ:
                content = Path(root, path.lstrip("/")).read_bytes()
            what = sign(status, content) or ("written late" if late else "")
            if what:
                digest = hashlib.sha256(content).hexdigest() if content else ""
                found.append({"path": path, "sign": what, "sha256": digest})
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
