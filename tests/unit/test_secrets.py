"""The judge of what an image holds: what it finds, and what it lets pass."""

from __future__ import annotations

import base64
import gzip
import json
import lzma
import os
import stat
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from images.checks.secrets import CLEANED, Look, read, span_of, special_verdict, verdict
from lab.lxd.model import Completed, Image
from tests.support.fake_lxd.store import EPOCH

SCRIPT = Path(__file__).resolve().parents[2] / "images" / "scripts" / "look.py"
PEM = "-----BEGIN PRIVATE KEY-----\n" + base64.b64encode(bytes(range(48))).decode() + "\n"


def _look(**signs: str) -> Look:
    signs = {f"/etc/{name}": sign for name, sign in signs.items()}
    return Look(signs=signs, digests={path: path for path in signs})


CLEAN = Look(signs={}, digests={})


def test_an_image_without_anything_of_the_kind_passes() -> None:
    harmless = "/var/cache/ldconfig/aux-cache"
    fresh = Look(signs={harmless: "readable by its owner alone"}, digests={harmless: "x"})
    assert verdict(fresh, (), ()).passed


def test_what_is_in_the_image_is_named() -> None:
    found = verdict(_look(key="private key", late="written late"), (), ())
    assert found.failed
    assert found.why == (
        "every container would have the same /etc/key (private key), /etc/late (written late)"
    )


def test_what_the_author_allows_passes() -> None:
    assert verdict(_look(token="token"), (), ("/etc/token",)).passed


def test_what_two_instances_have_in_common_is_named() -> None:
    same = _look(key="private key", mode="readable by its owner alone")
    found = verdict(CLEAN, (same, same), ())
    assert found.why == "two instances have the same /etc/key (private key)"


def test_keys_of_their_own_pass() -> None:
    one = Look(signs={"/etc/key": "private key"}, digests={"/etc/key": "1"})
    other = Look(signs={"/etc/key": "private key"}, digests={"/etc/key": "2"})
    assert verdict(CLEAN, (one, other), ()).passed


def test_what_could_not_be_looked_at_does_not_pass() -> None:
    broken = read(Completed(exit_code=127, stdout="", stderr="sh: python3: not found\n"))
    found = verdict(broken, (), ())
    assert found.failed
    assert found.why == "the instance could not be checked: sh: python3: not found"


def test_the_span_is_from_cleaning_to_publishing() -> None:
    image = Image(fingerprint="f", properties={CLEANED: "1790000000.5"}, created_at=EPOCH)
    assert span_of(image) == ("1790000000.5", f"{EPOCH.timestamp():.9f}")
    assert span_of(Image(fingerprint="f", created_at=EPOCH)) == ()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root file system that chroot can enter: this machine's programs, its own /etc."""
    if os.geteuid() != 0:
        pytest.skip("needs root, for chroot")
    (tmp_path / "var/lib/dpkg/info").mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    (tmp_path / "srv").mkdir()
    return tmp_path


def _seen(root: Path, *span: str) -> dict[str, str]:
    """What the script finds in ROOT, run as it would be inside."""
    program = (
        "import __future__, collections.abc, contextlib, hashlib, json, os, pathlib, re, stat; "
        "import struct, subprocess, sys, tempfile; "
        "code = open(sys.argv[1]).read(); os.chroot(sys.argv[2]); os.chdir('/'); "
        "sys.argv = ['look.py', *sys.argv[3:]]; exec(compile(code, 'look.py', 'exec'))"
    )
    argv = [sys.executable, "-I", "-c", program, str(SCRIPT), str(root), *span]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return {one["path"]: one.get("sign") or one["special"] for one in json.loads(said)}


def test_what_looks_secret_is_found_by_what_it_is(root: Path) -> None:
    etc = root / "etc"
    (etc / "a-key").write_text(PEM)
    (etc / "putty").write_text("PuTTY-User-Key-File-3: ssh-ed25519\n")
    (etc / "hex").write_text("9f" * 16 + "\n")
    (etc / "session").write_text(base64.urlsafe_b64encode(os.urandom(48)).decode())
    (etc / "seed").write_bytes(bytes(range(128, 224)))
    (etc / "mine").write_text("some words\n")
    (etc / "mine").chmod(0o600)
    for name in ("words", "about", "empty"):
        (etc / name).write_text("" if name == "empty" else "BEGIN PRIVATE KEY is how one begins\n")
    (etc / "empty").chmod(0o600)
    assert _seen(root) == {
        "/etc/a-key": "private key",
        "/etc/putty": "private key",
        "/etc/hex": "token",
        "/etc/session": "token",
        "/etc/seed": "random bytes",
        "/etc/mine": "readable by its owner alone",
    }


def test_what_packages_ship_and_python_compiles_is_not(root: Path) -> None:
    (root / "etc/shipped").write_text(PEM)
    (root / "srv/__pycache__").mkdir()
    (root / "srv/module.py").write_text("x = 1\n")
    (root / "srv/__pycache__/module.cpython-311.pyc").write_bytes(bytes(range(100, 228)))
    (root / "var/lib/dpkg/info/some.list").write_text("/etc\n/etc/shipped\n/srv/module.py\n")
    assert _seen(root) == {}


def test_what_is_packed_is_not_random(root: Path) -> None:
    words = os.urandom(600)
    for name, content in {
        "picture.png": b"\x89PNG\r\n" + words,
        "notes.gz": gzip.compress(words),
        "tool.deb": b"!<arch>\ndebian-binary" + words,
        "backup.xz": lzma.compress(words),
    }.items():
        (root / "srv" / name).write_bytes(content)
    assert _seen(root) == {}


def test_what_is_written_in_the_span_is_found_whoever_ships_it(root: Path) -> None:
    (root / "var/lib/dpkg/info/some.list").write_text("/etc/early\n/etc/late\n/etc/after\n")
    (root / "etc/link").symlink_to("late")
    os.utime(root / "etc/link", (150, 150), follow_symlinks=False)
    for name, moment in (("early", 100), ("late", 150), ("after", 201)):
        (root / "etc" / name).write_text("plain\n")
        os.utime(root / "etc" / name, (moment, moment))
    os.utime(root / "var/lib/dpkg/info/some.list", (1, 1))
    assert _seen(root, "100", "200") == {
        "/etc/late": "written late",
        "/etc/link": "written late",
    }


def test_powers_that_no_package_brought_are_found(root: Path) -> None:
    (root / "var/lib/dpkg/info/some.list").write_text("/srv/su\n/srv/ping\n/srv/python\n")
    os.mknod(root / "srv/disk", stat.S_IFBLK | 0o666, os.makedev(8, 0))
    os.mknod(root / "srv/kmsg", stat.S_IFCHR | 0o600, os.makedev(1, 11))
    os.mknod(root / "srv/gone", stat.S_IFCHR | 0o600, os.makedev(0, 0))
    os.mkfifo(root / "srv/pipe")
    modes = {
        "su": 0o4755,
        "mine": 0o4755,
        "theirs": 0o2755,
        "not-run": 0o4644,
        "locked": 0o2745,
        "ping": 0o755,
        "python": 0o755,
        "tool": 0o755,
    }
    for name, mode in modes.items():
        (root / "srv" / name).write_text("a program\n")
        (root / "srv" / name).chmod(mode)
    for name, bits in (("ping", 1 << 13), ("python", 1 << 7), ("tool", 1 << 13)):
        packed = struct.pack("<5I", 0x02000001, bits, 0, 0, 0)
        os.setxattr(root / "srv" / name, "security.capability", packed)
    assert _seen(root) == {
        "/srv/disk": "block device 8:0",
        "/srv/kmsg": "character device 1:11",
        "/srv/mine": "set-uid, of no package",
        "/srv/theirs": "set-gid, of no package",
        # ping's own are the usual ones; everybody's Python would be root.
        "/srv/python": "capabilities setuid",
        "/srv/tool": "capabilities net_raw",
    }
    (root / "srv/su").chmod(0o4757)
    assert _seen(root)["/srv/su"] == "set-uid, and everybody may write it"


def test_powers_are_named_and_what_the_author_allows_passes() -> None:
    fresh = Look(signs={}, digests={}, special={"/srv/b": "set-uid, of no package", "/srv/a": "x"})
    found = special_verdict(fresh, ())
    assert found.failed
    assert found.why == "these belong to no package: /srv/a (x), /srv/b (set-uid, of no package)"
    assert special_verdict(fresh, ("/srv/a", "/srv/b")).passed
    broken = read(Completed(exit_code=1, stdout="", stderr="no\n"))
    assert special_verdict(broken, ()).why == "the instance could not be checked: no"
