"""A reboot from inside, as a user does it, and the wait for the system that comes back."""

from __future__ import annotations

from contextlib import suppress

from lab.errors import LxdError, LxdUnreachable
from lab.instances.boot import wait_for_init
from lab.lxd.port import Lxd
from lab.wait import poll

MARKER = "/run/labstamp/before-the-reboot"
"""In memory, so that it is gone once the system was down."""


def reboot(lxd: Lxd, name: str, *, timeout: float) -> bool:
    """Whether NAME was down and its init is at work again within TIMEOUT seconds."""
    lxd.write_file(name, MARKER, b"")
    # The command's end may come after that of the system which would tell of it.
    with suppress(LxdError):
        lxd.run(name, ["systemctl", "reboot"], timeout=30)

    def probe() -> bool | None:
        try:
            # 1 is test's own answer. Whatever else: it was killed on the way down, as all are.
            return lxd.run(name, ["test", "-e", MARKER], timeout=30).exit_code == 1 or None
        except LxdUnreachable:
            raise
        except LxdError:
            return None  # it is down at this moment

    try:
        poll(probe, what=f"the reboot of {name}", timeout=timeout)
        wait_for_init(lxd, name, timeout=timeout)
    except LxdUnreachable:
        raise
    except LxdError:
        return False
    return True
