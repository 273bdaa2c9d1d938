"""What an instance shows to those who come over the network, as its user would.

Also run inside of an instance (images/checks/probe.py), so it needs nothing but Python.
"""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path

from lab.errors import LxdError
from lab.lxd.model import Completed
from lab.wait import poll

ACCOUNT = "labcheck"
"""Who stands in for the users of a checked image."""
LOGIN_SECONDS = 15
CONNECT_SECONDS = 5
_COMMAND_SECONDS = 30
_MOST = 64 * 1024


def ssh_login(ipv4: tuple[str, ...], key: Path) -> Completed:
    """`id -un` over ssh, with the private KEY of this check alone."""
    last = Completed(exit_code=255, stdout="", stderr="no address to log in to")
    if not ipv4:
        return last
    argv = [
        "ssh",
        *("-i", str(key), "-o", "IdentitiesOnly=yes", "-F", "none"),
        *("-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_SECONDS}"),
        *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
        *("-o", "LogLevel=ERROR", f"{ACCOUNT}@{ipv4[0]}", "id -un"),
    ]

    def attempt() -> Completed | None:
        nonlocal last
        last = _run(argv)
        return last if last.exit_code == 0 else None

    try:
        return poll(attempt, what="ssh", timeout=LOGIN_SECONDS, every=0.5)
    except LxdError:
        return last


def _run(argv: list[str]) -> Completed:
    try:
        ended = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        why = f"{argv[0]} did not end within {_COMMAND_SECONDS} s"
        return Completed(exit_code=124, stdout="", stderr=why)
    except FileNotFoundError:
        why = f"{argv[0]} is not installed, so the login was not tried"
        return Completed(exit_code=127, stdout="", stderr=why)
    return Completed(exit_code=ended.returncode, stdout=ended.stdout, stderr=ended.stderr)


def read_banner(ipv4: tuple[str, ...], port: int, wanted: str, *, timeout: float) -> Completed:
    """What a service at PORT says by itself to who connects; on stderr why nobody does.

    Asked again until it matches WANTED or TIMEOUT seconds are over: it may be starting.
    """
    last = Completed(exit_code=0, stdout="", stderr="no address to connect to")
    if not ipv4:
        return last

    def attempt() -> Completed | None:
        nonlocal last
        last = _connect(ipv4[0], port)
        return last if re.search(wanted, last.stdout, re.MULTILINE) else None

    try:
        return poll(attempt, what=f"port {port}", timeout=timeout)
    except LxdError:
        return last


def _connect(address: str, port: int) -> Completed:
    try:
        with socket.create_connection((address, port), timeout=CONNECT_SECONDS) as connection:
            said = _read(connection)
    except OSError as error:
        why = f"{address} port {port}: {error.strerror or error}"
        return Completed(exit_code=0, stdout="", stderr=why)
    return Completed(exit_code=0, stdout=said, stderr="")


def _read(connection: socket.socket) -> str:
    """All until the other side closes or falls silent."""
    heard = b""
    try:
        while len(heard) < _MOST and (piece := connection.recv(4096)):
            heard += piece
    except TimeoutError:
        # A service that waits for an answer has said what it says by itself.
        pass
    return heard.decode(errors="replace")
