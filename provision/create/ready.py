"""Waiting until a container is fit for its user: cloud-init done, an address, ssh answering."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from lab.errors import LabError, LxdError
from lab.instances.addresses import ADDRESS_SECONDS, looked_at, no_address, what_next
from lab.instances.boot import BootFailed, NoAddress, excerpt, wait_for_cloud_init
from lab.lxd.model import State
from lab.lxd.port import Lxd
from lab.machine.container_processes import listens
from lab.rdp import Greet, NotRdp, greet
from lab.report import Report
from lab.wait import TimedOut, poll

_SSH_PORT = 22
_TCP_LISTEN = "0A"
_AFTER = "Correct what these lines report, then run the same command again."


class SshProbe(str, Enum):
    """What a look at port 22 of an address found."""

    BANNER = "banner"
    CLOSED = "closed"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long each wait may take, in seconds, and the means of waiting."""

    boot: float = 180
    """A first boot on a busy host took 40 s at most; mirrors are not asked."""
    address: float = ADDRESS_SECONDS
    ssh: float = 60
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def probe_ssh(address: str, port: int = _SSH_PORT) -> SshProbe:
    """Whether an ssh server greets at ADDRESS, seen from here."""
    try:
        with socket.create_connection((address, port), timeout=2) as connection:
            greeting = connection.recv(64)
    except ConnectionRefusedError:
        return SshProbe.CLOSED
    except OSError:
        return SshProbe.UNREACHABLE
    return SshProbe.BANNER if greeting.startswith(b"SSH-") else SshProbe.CLOSED


def wait_for_first_boot(
    lxd: Lxd, name: str, account: str, report: Report, *, timeouts: Timeouts
) -> None:
    """Until cloud-init has made ACCOUNT; LxdError with what went wrong inside."""
    report.phase(name, "cloud-init")

    def heard(text: str) -> None:
        lines = text.strip().splitlines()
        if lines:
            report.detail(name, lines[-1])

    try:
        boot = wait_for_cloud_init(
            lxd,
            name,
            timeout=timeouts.boot,
            on_output=heard,
            address_within=timeouts.address,
        )
    except NoAddress:
        raise
    except BootFailed as error:
        raise LxdError(
            error.brief, details=_joined(error.details, excerpt(error.output)), fix=_AFTER
        ) from error
    if boot.errors:
        raise LxdError(
            f"cloud-init failed in {name}.",
            details=_joined("\n".join(boot.errors), excerpt(boot.output)),
            fix=_AFTER,
        )
    if lxd.run(name, ["getent", "passwd", account], timeout=30).exit_code != 0:
        raise LxdError(
            f"cloud-init succeeded in {name}, but made no account {account}.",
            details=excerpt(boot.output),
            fix="Check that cloud-init in the release has the module users-groups.",
        )


def wait_for_address(lxd: Lxd, name: str, report: Report, *, timeouts: Timeouts) -> str:
    """The first global address, IPv4 before IPv6."""
    report.phase(name, "address")

    def probe() -> str | None:
        state = lxd.state(name)
        if state.state is not State.RUNNING:
            raise LxdError(
                f"{name} stopped while it was starting.",
                fix=f"Look at its console: lxc console {name} --show-log",
            )
        return next(iter((*state.ipv4, *state.ipv6)), None)

    return poll(
        probe,
        what=f"an address of {name}",
        timeout=timeouts.address,
        on_timeout=lambda: LxdError(
            no_address(name, timeouts.address),
            details=looked_at(lxd, name),
            fix=what_next(lxd, name),
        ),
        clock=timeouts.clock,
        sleep=timeouts.sleep,
    )


def wait_until_up(
    lxd: Lxd,
    name: str,
    report: Report,
    *,
    timeouts: Timeouts,
    probe_ssh: Callable[[str], SshProbe] = probe_ssh,
    must_answer: bool = False,
) -> str:
    """The address, once ssh answers there. Runs nothing inside: its root may have put traps there.

    A user may have removed ssh. So it is reported when no answer comes in time, and no failure
    unless it MUST_ANSWER.
    """
    address = wait_for_address(lxd, name, report, timeouts=timeouts)

    def listens_seen() -> bool:
        init = lxd.init_pid(name)
        # On another server nothing tells more from here.
        return init is None or listens(init, _SSH_PORT)

    try:
        _poll_ssh(name, address, report, listens_seen, timeouts=timeouts, probe_ssh=probe_ssh)
    except TimedOut:
        if must_answer:
            raise
        report.say(
            f"{name}: runs, but ssh did not answer within {timeouts.ssh:.0f} s. "
            f"Look at its service: lxc exec {name} -- systemctl status ssh"
        )
    return address


def wait_for_ssh(
    lxd: Lxd,
    name: str,
    address: str,
    report: Report,
    *,
    timeouts: Timeouts,
    probe_ssh: Callable[[str], SshProbe] = probe_ssh,
) -> None:
    """Until ADDRESS greets as ssh does, or, where nobody here can reach it, port 22 is open."""
    _poll_ssh(
        name,
        address,
        report,
        lambda: _listens_inside(lxd, name),
        timeouts=timeouts,
        probe_ssh=probe_ssh,
        on_timeout=lambda: LxdError(
            f"ssh in {name} ({address}) did not answer within {timeouts.ssh:.0f} s.",
            details=_ssh_log(lxd, name),
            fix=_AFTER,
        ),
    )


def _poll_ssh(
    name: str,
    address: str,
    report: Report,
    listens: Callable[[], bool],
    *,
    timeouts: Timeouts,
    probe_ssh: Callable[[str], SshProbe],
    on_timeout: Callable[[], LabError] | None = None,
) -> None:
    """LISTENS is asked where nobody here can reach ADDRESS."""
    report.phase(name, "ssh")

    def probe() -> bool | None:
        found = probe_ssh(address)
        # On macvlan the host and its containers never reach one another, and LXD may be remote.
        unseen = found is SshProbe.UNREACHABLE and listens()
        return found is SshProbe.BANNER or unseen or None

    poll(
        probe,
        what=f"ssh in {name}",
        timeout=timeouts.ssh,
        on_timeout=on_timeout,
        clock=timeouts.clock,
        sleep=timeouts.sleep,
    )


def wait_for_desktop(
    name: str,
    address: str,
    port: int,
    report: Report,
    *,
    timeouts: Timeouts,
    probe_ssh: Callable[[str], SshProbe] = probe_ssh,
    greet: Greet = greet,
) -> None:
    """Until RDP greets at ADDRESS; nothing to wait for where nobody here can reach it.

    An open port is not enough: xrdp opens it once to see that it is free, closes it, and closes
    early connections, two seconds before it stays open.
    """
    if probe_ssh(address) is SshProbe.UNREACHABLE:
        return
    report.phase(name, "desktop")

    def probe() -> bool | None:
        try:
            greet(address, port, timeout=5)
        except (NotRdp, OSError):
            return None
        return True

    poll(
        probe,
        what=f"the desktop of {name}",
        timeout=timeouts.ssh,
        on_timeout=lambda: LxdError(
            f"The desktop of {name} ({address}:{port}) did not answer RDP within "
            f"{timeouts.ssh:.0f} s.",
            fix=f"Look at its services: lxc exec {name} -- systemctl status xrdp xrdp-sesman",
        ),
        clock=timeouts.clock,
        sleep=timeouts.sleep,
    )


def _listens_inside(lxd: Lxd, name: str) -> bool:
    """From the kernel's own tables: those that the host shows, or by a command that needs cat."""
    init = lxd.init_pid(name)
    if init is not None:
        return listens(init, _SSH_PORT)
    tables = lxd.run(name, ["cat", "/proc/net/tcp", "/proc/net/tcp6"], timeout=30).stdout
    wanted = f":{_SSH_PORT:04X}"
    for line in tables.splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[1].endswith(wanted) and fields[3] == _TCP_LISTEN:
            return True
    return False


def _ssh_log(lxd: Lxd, name: str) -> str:
    try:
        found = lxd.run(name, ["systemctl", "status", "--no-pager", "--lines=8", "ssh"], timeout=30)
    except LxdError as error:
        return error.brief  # that ssh does not answer is what counts
    return excerpt(found.stdout) or "No ssh service was found in the container."


def _joined(*parts: str | None) -> str:
    return "\n".join(part for part in parts if part)
