"""Each person has ids of their own: between containers, for life, and for those made without."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.wait import poll
from tests.support.live_lab.lab import Lab, lxc, lxc_ended, query, ssh

pytestmark = pytest.mark.plain

Pair = tuple[dict[str, Any], dict[str, Any]]
ANN, BEN = "lt-ann", "lt-ben"
SECRET = "lt-topsecret"

ADD_KEY = f"""
import ctypes, platform
number = {{"x86_64": 248, "aarch64": 217}}[platform.machine()]
user_keyring = -4
assert ctypes.CDLL(None).syscall(number, b"user", b"{SECRET}", b"x", 1, user_keyring) > 0
"""
LISTING = """
import hashlib, json, os, stat, sys
found = {}
for top in sys.argv[1:]:
    for place, _, files in os.walk(top):
        for path in [place, *(os.path.join(place, name) for name in files)]:
            is_ = os.lstat(path)
            plain = stat.S_ISREG(is_.st_mode)
            link = stat.S_ISLNK(is_.st_mode)
            names = [] if link else sorted(os.listxattr(path))
            xattrs = [[name, os.getxattr(path, name).hex()] for name in names]
            digest = hashlib.sha256(open(path, "rb").read()).hexdigest() if plain else ""
            found[path] = [is_.st_mode, is_.st_uid, is_.st_gid, is_.st_nlink, digest, xattrs]
print(json.dumps(found))
"""
MAKE = """
import os, socket, struct
os.makedirs("d/e")
open("thesis", "w").write("words\\n")
os.link("thesis", "d/hard")
os.symlink("/nowhere", "d/dangling")
os.mkfifo("d/fifo", 0o600)
socket.socket(socket.AF_UNIX).bind("d/socket")
os.setxattr("thesis", "user.note", b"mine")
os.chown("thesis", 1000, 1000)
open("d/program", "w").write("x")
os.chown("d/program", 0, 33)
os.setxattr("d/program", "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0))
acl = [(1, 6, -1), (2, 4, 33), (4, 4, -1), (16, 6, -1), (32, 0, -1)]
packed = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in acl)
os.setxattr("thesis", "system.posix_acl_access", packed)
os.chown("d/e", 5, 60)
os.chmod("d/e", 0o6711)
"""
DOCKER = """
tar -ch /bin/sh /bin/echo /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libc.so.6 2>/dev/null |
    docker import - lt:ids >/dev/null
"""


def _sh(name: str, script: str) -> subprocess.CompletedProcess[str]:
    """SCRIPT as root of the container, whatever it ends with."""
    return lxc_ended("exec", name, "--", "sh", "-c", script, timeout=120)


def _python(name: str, program: str, *arguments: str, directory: str = "/") -> str:
    return lxc("exec", name, "--cwd", directory, "--", "python3", "-c", program, *arguments)


def _base(name: str) -> int:
    return int(query(f"/1.0/instances/{name}")["config"]["security.idmap.base"])


@pytest.fixture
def share(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory of the server that both have at /data, as the admin guide has it."""
    path = tmp_path_factory.mktemp("share")
    path.chmod(0o1777)
    for name in (ANN, BEN):
        lxc("config", "device", "add", name, "data", "disk", f"source={path}", "path=/data")
    yield path
    for name in (ANN, BEN):
        lxc("config", "device", "remove", name, "data")


def test_root_in_one_neither_reads_nor_deletes_anothers_files(pair: Pair, share: Path) -> None:
    _sh(ANN, f"su {ANN} -c 'umask 077; echo secret >/data/a'")
    for attempt in (
        "cat /data/a",
        "rm -f /data/a",
        "chmod 666 /data/a",
        "setpriv --reuid 1000 cat /data/a",
    ):
        said = _sh(BEN, attempt)
        assert said.returncode != 0, attempt
        assert "denied" in said.stderr or "not permitted" in said.stderr, said.stderr
    assert (share / "a").read_text() == "secret\n"
    assert (share / "a").stat().st_uid == _base(ANN) + 1000
    assert _base(ANN) != _base(BEN)
    assert _sh(ANN, "cat /data/a; rm /data/a").stdout == "secret\n"


def test_kernel_keys_of_one_are_not_listed_in_another(pair: Pair) -> None:
    _python(BEN, ADD_KEY)
    assert SECRET in _sh(BEN, "cat /proc/keys").stdout
    assert SECRET not in _sh(ANN, "cat /proc/keys").stdout


def test_a_home_keeps_its_ids_over_its_containers(lab: Lab, pair: Pair, key: Path) -> None:
    base = _base(BEN)
    assert lab.succeed("show", BEN, "--json").document["ids"] == {"base": base, "size": 65536}
    changed = ("stat", "-c", "%Z %z", f"/home/{BEN}/.profile")
    before = lxc("exec", BEN, "--", *changed)
    lab.succeed("destroy", BEN, "--yes")
    command = ("provision", BEN, "--key", str(key.with_suffix(".pub")), "--disk", "6GiB")
    said = lab.succeed(*command, "--plan")
    assert f"ids {base}:65536" in said.out
    assert "change the owners" not in said.out
    lab.succeed(*command)
    assert _base(BEN) == base
    # A change of owner, even to the same one, would be the file's last change.
    assert lxc("exec", BEN, "--", *changed) == before


def _as_earlier_versions_made_it(name: str) -> None:
    lxc("stop", name)
    for key in ("isolated", "base", "size"):
        lxc("config", "unset", name, f"security.idmap.{key}")
    home = query(f"/1.0/instances/{name}")["devices"]["home"]
    for key in ("ids", "container", "project"):
        lxc("storage", "volume", "unset", home["pool"], home["source"], f"user.lab.{key}")
    lxc("start", name)


def _slow_down_ssh(name: str) -> None:
    """From the next boot on it answers seconds after there is an address."""
    unit = "/etc/systemd/system/ssh.service.d"
    slow = r"[Service]\nExecStartPre=/bin/sleep 4\n"
    assert _sh(name, f"mkdir -p {unit} && printf '{slow}' >{unit}/slow.conf").returncode == 0


def _docker_is_up(name: str) -> bool | None:
    return True if _sh(name, "docker info").returncode == 0 else None


def _files(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_python(name, LISTING, "/home", "/etc", "/usr/bin"))
    return found


def test_a_container_without_ids_of_its_own_is_moved_and_loses_nothing(
    lab: Lab, pair: Pair, key: Path
) -> None:
    """Also by a run that is killed: before LXD changed anything, and while it is at it."""
    _python(ANN, MAKE, directory=f"/home/{ANN}")
    _as_earlier_versions_made_it(ANN)
    poll(lambda: _docker_is_up(ANN), what="docker", timeout=60)
    assert _sh(ANN, DOCKER).returncode == 0
    _slow_down_ssh(ANN)
    before = _files(ANN)
    assert before[f"/home/{ANN}/d/e"][:3] == [0o46711, 5, 60]
    checks = lab.invoke("host.check", "--json").document["checks"]
    (found,) = (one for one in checks if one["name"] == "ids" and ANN in one["found"])
    assert (found["status"], found["fix"]) == ("warn", "invoke isolate --all")

    lab.signal_at(
        signal.SIGKILL, lambda line: line.rstrip().endswith(": snapshot"), "isolate", ANN, "--yes"
    )
    refused = lab.invoke("start", ANN)
    assert (refused.code, f"invoke isolate {ANN}" in refused.err) == (2, True)
    lab.signal_at(
        signal.SIGKILL,
        lambda line: ": change the owners of its files to" in line,
        "isolate",
        ANN,
        "--yes",
    )
    lab.succeed("isolate", ANN, "--yes")

    assert _files(ANN) == before
    ids = lab.succeed("show", ANN, "--json").document
    assert ids["ids"] == {"base": _base(ANN), "size": 65536}
    assert ids["snapshots"] == []
    home = query(f"/1.0/instances/{ANN}")["devices"]["home"]
    volume = f"/1.0/storage-pools/{home['pool']}/volumes/custom/{home['source']}"
    assert query(volume)["config"]["user.lab.ids"] == f"{_base(ANN)}:65536"
    assert query(f"{volume}/snapshots") == []
    said = ssh(ids["ipv4"][0], ANN, key, ["id -un && cat ~/thesis"])
    assert said.out == f"{ANN}\nwords\n", said.err
    poll(lambda: _docker_is_up(ANN), what="docker", timeout=60)
    assert _sh(ANN, "docker run --rm lt:ids /bin/echo from docker").stdout == "from docker\n"
    assert lab.succeed("isolate", ANN).out == "Each container has ids of its own; nothing to do.\n"
