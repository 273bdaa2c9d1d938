"""No login before the container is finished, so that an interrupted run can be started again.

The account is made as one that has expired (useradd --expiredate): PAM lets it in nowhere, neither
by key nor by password, until the container is handed over. It never exists without that, even if a
run is interrupted. (/etc/nologin would not do: systemd-user-sessions(8) removes it at each boot.)
"""

from __future__ import annotations

from typing import Any, Final

from lab import labels
from lab.cloudinit.sections import with_value
from lab.errors import LxdError
from lab.lxd.model import Instance
from lab.lxd.port import Lxd

# Day 0 may mean "never" (shadow(5)).
_PAST: Final = "1970-01-02"


def closed(user_data: str, account: str) -> str | None:
    """USER_DATA that makes ACCOUNT as one nobody can log in to until `open_up`.

    None where a text of the lab's own makes the account in a way that is not known here.
    """
    found = False

    def expired(users: Any) -> Any:
        nonlocal found
        for one in users if isinstance(users, list) else ():
            if isinstance(one, dict) and one.get("name") == account:
                one["expiredate"], found = _PAST, True
        return users

    text = with_value(user_data, "users", expired)
    return text if found else None


def is_closed(instance: Instance) -> bool:
    """Whether nobody but the admin can have put anything into it."""
    return instance.config.get(labels.CLOSED) == "true"


def open_up(lxd: Lxd, name: str, account: str) -> None:
    """Logins succeed afterwards; before the first one does, NAME is no leftover any more."""
    lxd.update(name, config={labels.CLOSED: None})
    done = lxd.run(name, ["usermod", "--expiredate", "", account], timeout=30)
    if done.exit_code != 0:
        raise LxdError(
            f"The account {account} in {name} could not be opened for logins.",
            details=done.stderr,
            fix="Run the same command again.",
        )
