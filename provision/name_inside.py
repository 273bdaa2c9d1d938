"""What a stopped container says of its own name, and how cloud-init is kept from it meanwhile.

cloud-init sets a system up again when its instance id changes, as LXD changes it with each rename:
with new ssh host keys. So it is off until the container has its own id back. Afterwards it runs as
at each boot, and takes LXD's new name for its host name, except where somebody chose another.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Final

from lab.errors import LxdError, LxdUnreachable, NotFound
from lab.lxd.port import Lxd
from lab.report import Report
from lab.wait import retry

_CLOUD: Final = "/etc/cloud"
_OFF: Final = "cloud-init.disabled"
OFF: Final = f"{_CLOUD}/{_OFF}"
"""cloud-init does nothing at a boot while this file is there."""
SEEN: Final = "/var/lib/cloud/instance/obj.pkl"
"""What cloud-init remembers of LXD's answers; it asks again where this is missing."""
HOSTNAME: Final = "/etc/hostname"
HOSTS: Final = "/etc/hosts"
_ASIDE: Final = ".labstamp-new"
_MOST: Final = 1 << 20


def is_on(lxd: Lxd, name: str) -> bool:
    """Whether cloud-init runs when NAME boots."""
    try:
        there = lxd.list_directory(name, _CLOUD)
    except NotFound:
        return False
    return _OFF not in there


def switch_off(lxd: Lxd, name: str) -> None:
    lxd.write_file(name, OFF, b"# By labstamp, while the container is renamed.\n")


def switch_on(lxd: Lxd, name: str) -> None:
    lxd.delete_file(name, OFF)


def tell_name(lxd: Lxd, name: str, old: str, report: Report) -> None:
    """Its host name, which was OLD, is NAME at its next boot. A second time changes nothing.

    Its user may have put anything in place of these files: then it is said, and no failure.
    """
    for path, changed in ((HOSTNAME, _hostname), (HOSTS, _hosts)):
        act = partial(_change, lxd, name, path, partial(changed, old, name))
        _or_say(report, f"{name}: {path} may still say {old}.", act)
    act = partial(lxd.delete_file, name, SEEN)
    _or_say(report, f"{name}: cloud-init may write {old} to {HOSTS} again.", act)


def _or_say(report: Report, what: str, act: Callable[[], None]) -> None:
    """ACT, twice where a busy LXD fails; else WHAT, and why."""
    try:
        retry(act, when=lambda error: not isinstance(error, LxdUnreachable | NotFound), times=2)
    except LxdUnreachable:
        raise
    except NotFound:
        return
    except LxdError as error:
        report.say(f"{what} {error.brief}")


def _change(lxd: Lxd, name: str, path: str, changed: Callable[[str], str]) -> None:
    before = _read(lxd, name, path)
    after = changed(before)
    if after != before:
        _write(lxd, name, path, after)
    lxd.delete_file(name, path + _ASIDE)


def _read(lxd: Lxd, name: str, path: str) -> str:
    """Where a run was cut off between taking a file away and writing it, from beside it."""
    try:
        content = lxd.read_file(name, path, most=_MOST)
    except NotFound:
        content = lxd.read_file(name, path + _ASIDE, most=_MOST)
        lxd.write_file(name, path, content)
    return content.decode(errors="surrogateescape")


def _write(lxd: Lxd, name: str, path: str, text: str) -> None:
    content = text.encode(errors="surrogateescape")
    lxd.write_file(name, path + _ASIDE, content)
    lxd.write_file(name, path, content)


def _hostname(old: str, new: str, text: str) -> str:
    """TEXT of /etc/hostname; another name than OLD is its user's wish."""
    return f"{new}\n" if text.strip() == old else text


def _hosts(old: str, new: str, text: str) -> str:
    """TEXT of /etc/hosts, in which the line of the machine's own name says NEW."""
    word = re.compile(rf"(?<![^\s.])(?<!\.){re.escape(old)}(?![^\s.])")
    return "".join(
        word.sub(new, line) if re.match(r"\s*127\.0\.1\.1\s", line) else line
        for line in text.splitlines(keepends=True)
    )
