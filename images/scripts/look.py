#!/usr/bin/env python3
"""Lists what in this root file system looks secret, or was written within a span of time.

    look.py [AFTER UNTIL]        seconds since 1970, with fractions

Prints a JSON list of {path, sign, sha256}. Knows no names of files: a template's own units make
keys and tokens whose names nobody else knows. What a package ships is left out, and what Python
compiled of it. Runs in an instance of an image, by the image's own Python (3.9 or later).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import sys
from collections.abc import Iterator
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
MERGED = ("/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/")


def shipped() -> set[str]:
    """All paths that dpkg knows, as they are found below /usr where that is merged."""
    merged = Path("/bin").is_symlink()
    known = set()
    for listing in Path("/var/lib/dpkg/info").glob("*.list"):
        for line in listing.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            known.add(f"/usr{line}" if merged and line.startswith(MERGED) else line)
    return known


def files() -> Iterator[tuple[str, os.stat_result]]:
    """Path and status of each file and link of the root file system, not of what is mounted."""
    device = Path("/").stat().st_dev
    waiting = ["/"]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if status.st_dev != device:
                    continue
                if stat.S_ISDIR(status.st_mode):
                    waiting.append(entry.path)
                elif stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                    yield entry.path, status


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
    for path, status in files():
        late = after < status.st_mtime <= until
        if not status.st_size or (not late and (path in known or compiled(path))):
            continue
        content = b""
        if stat.S_ISREG(status.st_mode) and status.st_size <= READ:
            content = Path(path).read_bytes()
        what = sign(status, content) or ("written late" if late else "")
        if what:
            digest = hashlib.sha256(content).hexdigest() if content else ""
            found.append({"path": path, "sign": what, "sha256": digest})
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
