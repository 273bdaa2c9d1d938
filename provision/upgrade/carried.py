"""What makes a root its user's machine: host keys, machine-id, the account's password and crontab.

Read from the present root while it is stopped: nobody can replace a file by a pipe meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from lab.cloudinit.account import UID
from lab.errors import LxdError, LxdUnreachable
from lab.lxd.model import Instance
from lab.lxd.port import Lxd
from lab.report import Report
from provision.upgrade.root_file import ReadFile

_MOST: Final = 256 << 10
_HOST_KEY: Final = re.compile(r"ssh_host_[a-z0-9]{1,20}_key(\.pub)?", re.ASCII)
_HASH: Final = re.compile(r"[./0-9A-Za-z$][!-9;-~]{1,400}", re.ASCII)
_CRONTABS: Final = "/var/spool/cron/crontabs"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """PATH, and whose it is; owner and group by name, since their numbers differ."""

    path: str
    mode: int
    owner: str = "root"
    group: str = "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """CONTENT of what is there; PASSWORD: its hash. Neither is written anywhere else."""

    files: tuple[tuple[File, bytes], ...] = field(default=(), repr=False)
    password: str | None = field(default=None, repr=False)


def read_carried(lxd: Lxd, root: Instance, account: str, report: Report, read: ReadFile) -> Carried:
    """Of the stopped ROOT. A file that cannot be read is named, and left out."""
    wanted = (*_files(account), *_host_keys(lxd, root.name))
    found = ((file, _content(lxd, root, file.path, report, read)) for file in wanted)
    files = tuple((file, content) for file, content in found if content)
    shadow = _content(lxd, root, "/etc/shadow", report, read) or b""
    return Carried(files=files, password=password_hash(shadow, account))


def write_carried(lxd: Lxd, name: str, carried: Carried) -> None:
    """Into NAME, which was never started: its programs find them at their first boot."""
    owners, groups = _ids(lxd, name, "passwd"), _ids(lxd, name, "group")
    for file, content in carried.files:
        lxd.write_file(
            name,
            file.path,
            content,
            mode=file.mode,
            uid=owners.get(file.owner, UID if file.owner != "root" else 0),
            gid=groups.get(file.group, 0),
        )


def set_password(lxd: Lxd, name: str, account: str, carried: Carried) -> None:
    """Before anybody can log in; LxdError where the root does not accept it."""
    if carried.password is None:
        return
    line = f"{account}:{carried.password}\n".encode()
    done = lxd.run(name, ["chpasswd", "--encrypted"], stdin=line, timeout=30)
    if done.exit_code != 0:
        raise LxdError(
            f"The password of {account} could not be kept in {name}.",
            details=done.stderr.replace(carried.password, "…"),
            fix=f"Run the same command again: invoke upgrade {name}",
        )


def password_hash(shadow: bytes, account: str) -> str | None:
    """That of ACCOUNT; None where no password lets in. Pure."""
    for line in shadow.decode(errors="replace").splitlines():
        user, _, rest = line.partition(":")
        if user == account:
            found = rest.partition(":")[0]
            return found if _HASH.fullmatch(found) else None
    return None


def _files(account: str) -> tuple[File, ...]:
    return (
        # systemd-networkd asks for its address by it.
        File(path="/etc/machine-id", mode=0o644),
        File(path="/etc/xrdp/cert.pem", mode=0o640, group="xrdp"),
        File(path="/etc/xrdp/key.pem", mode=0o640, group="xrdp"),
        File(path="/etc/xrdp/rsakeys.ini", mode=0o600, owner="xrdp", group="xrdp"),
        File(path=f"{_CRONTABS}/{account}", mode=0o600, owner=account, group="crontab"),
    )


def _host_keys(lxd: Lxd, name: str) -> Iterator[File]:
    try:
        names = lxd.list_directory(name, "/etc/ssh")
    except LxdUnreachable:
        raise
    except LxdError:
        return  # there is no sshd
    for one in filter(_HOST_KEY.fullmatch, names):
        yield File(path=f"/etc/ssh/{one}", mode=0o644 if one.endswith(".pub") else 0o600)


def _content(lxd: Lxd, root: Instance, path: str, report: Report, read: ReadFile) -> bytes | None:
    """None where there is none."""
    try:
        return read(lxd, root, path, _MOST)
    except LxdUnreachable:
        raise
    except LxdError as error:
        report.say(f"{path} is not kept: {error.brief}")
        return None


def _ids(lxd: Lxd, name: str, table: str) -> dict[str, int]:
    """Names and numbers of a root that nobody but labstamp has written to."""
    try:
        text = lxd.read_file(name, f"/etc/{table}").decode(errors="replace")
    except LxdUnreachable:
        raise
    except LxdError:
        return {}
    rows = (line.split(":") for line in text.splitlines())
    return {row[0]: int(row[2]) for row in rows if len(row) > 2 and row[2].isdecimal()}
