"""From inside ben, as root: what is tried on ann, on the server, and what is answered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live.hostile.five import OTHERS, Five
from tests.support.live_lab.lab import lxc, lxc_ended, ssh

ANN, BEN = OTHERS[:2]
SHARE = Path("/srv/labstamp-test-share")


@pytest.fixture(scope="module")
def work(five: Five, key: Path) -> Iterator[Five]:
    """Ann's, among it on a folder of the server's that ben has, too, as labs do it."""
    SHARE.mkdir(exist_ok=True)
    SHARE.chmod(0o1777)
    for name in (ANN, BEN):
        lxc("config", "device", "add", name, "data", "disk", f"source={SHARE}", "path=/data")
    ssh(five.addresses[ANN], ANN, key, [_WORK])
    lxc("exec", ANN, "--", "python3", "-c", _KEEP_A_KEY)
    yield five
    for name in (ANN, BEN):
        lxc("config", "device", "remove", name, "data")
    for path in SHARE.iterdir():
        path.unlink()
    SHARE.rmdir()


_WORK = """
echo thesis >/data/thesis; chmod 600 /data/thesis; echo thesis >~/thesis
setsid -f sleep 9999 >/dev/null 2>&1 </dev/null
"""
# add_key(2), into the keyring of the uid; it lives as long as a process of that uid does.
_KEEP_A_KEY = (
    "import ctypes; ctypes.CDLL(None).syscall(248, b'user', b'anns-secret', b'thesis', 6, -4)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    what: str
    script: str
    answer: str
    """What it says, as a regular expression that has to match somewhere."""


def _open(path: str, flags: str = "os.O_RDONLY") -> str:
    return f"python3 -c 'import os; print(os.open(\"{path}\", {flags}))'"


TRIES = [
    Try(what="ann's file on a share", script="cat /data/thesis", answer="Permission denied"),
    Try(what="to delete it", script="rm -f /data/thesis", answer="Operation not permitted"),
    Try(what="to own it", script="chown root /data/thesis", answer="Operation not permitted"),
    Try(what="ann's home", script="find / -xdev -name thesis | grep -v ^/data", answer="^$"),
    Try(what="ann's processes", script="ps -e -o args | grep -c '[s]leep 9999'", answer="^0$"),
    Try(what="ann's kernel keys", script="grep -c anns-secret /proc/keys", answer="^0$"),
    Try(
        what="the server's processes",
        script="ps -e -o comm | grep -cw -e lxd -e dnsmasq",
        answer="^0$",
    ),
    Try(
        what="the server's root through process 1",
        script="ls /proc/1/root/var/lib/lxd /proc/1/root/srv/labstamp-test-share",
        answer="No such file",
    ),
    Try(what="the server's namespaces", script="nsenter -t 1 -m -- hostname", answer=f"^{BEN}$"),
    Try(
        what="a disk of the server by its numbers",
        script="mknod /root/disk b $(awk 'NR == 3 { print $1, $2 }' /proc/partitions)",
        answer="Operation not permitted",
    ),
    Try(
        what="to mount one",
        script="mount /dev/$(awk 'NR == 3 { print $4 }' /proc/partitions) /mnt",
        answer="(special device .* does not exist|permission denied|must be superuser)",
    ),
    Try(what="memory of the kernel", script=_open("/proc/kcore"), answer="(Permission|No such)"),
    Try(
        what="to crash it",
        script="echo c >/proc/sysrq-trigger",
        answer="(Permission denied|Read-only|No such file)",
    ),
    Try(what="a setting of the kernel", script="sysctl -w vm.swappiness=1", answer="denied|only"),
    Try(what="a module", script="modprobe dummy; echo $?", answer="[1-9]"),
    Try(what="the clock", script="date -s 2001-01-01", answer="Operation not permitted"),
    Try(
        what="a GPU that is not theirs",
        script="ls /dev/nvidia[0-9]* /dev/nvidiactl",
        answer="No such file",
    ),
    Try(
        what="to make its node",
        script="mknod /root/card c 195 0",
        answer="Operation not permitted",
    ),
    Try(
        what="the daemon's socket",
        script="find / -xdev -name unix.socket -type s 2>/dev/null",
        answer="^$",
    ),
    Try(
        what="to change itself by the guest's socket",
        script="""python3 - <<'ASK'
import http.client, socket
class Guest(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("/dev/lxd/sock")
guest = Guest("lxd")
guest.request("PUT", "/1.0/config/security.privileged", "true")
print(guest.getresponse().status)
ASK
""",
        answer="^(4|5)..$",
    ),
    Try(
        what="limits of its own",
        script="echo 0 >/sys/fs/cgroup/memory/memory.limit_in_bytes; "
        "echo max >/sys/fs/cgroup/memory.max",
        answer="(Permission denied|Read-only|No such file)",
    ),
]


def _by_root(script: str) -> str:
    ended = lxc_ended("exec", BEN, "--", "bash", "-c", script, timeout=60)
    return (ended.stdout + ended.stderr).strip()


@pytest.mark.parametrize("one", TRIES, ids=[one.what for one in TRIES])
def test_root_of_one_container_gets_nowhere(work: Five, one: Try) -> None:
    said = _by_root(one.script)
    assert re.search(one.answer, said, re.MULTILINE), said


def test_ann_has_what_she_had(work: Five, key: Path) -> None:
    """By which the answers above are worth something."""
    said = ssh(work.addresses[ANN], ANN, key, ["cat", "/data/thesis", "thesis"])
    assert said.out == "thesis\nthesis\n", said.err
    assert "anns-secret" in lxc("exec", ANN, "--", "cat", "/proc/keys")
    assert ssh(work.addresses[ANN], ANN, key, ["pgrep", "-c", "sleep"]).out == "1\n"
