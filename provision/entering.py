"""Into a running container by LXD, whatever its network and its ssh are like."""

from __future__ import annotations

from typing import Final

from lab import labels
from lab.errors import InputError
from lab.lxd.model import Instance, State
from lab.lxd.port import Lxd
from lab.names import quote
from provision.managed import managed_container

_NO_SHELLS: Final = ("nologin", "false", "sync")
_SECONDS: Final = 20


def running_container(lxd: Lxd, name: str) -> Instance:
    """The container NAME; InputError where it does not run, or is none of labstamp's."""
    instance = managed_container(lxd, name)
    if instance.state is not State.RUNNING:
        raise InputError(
            f"{name} does not run: its state is {instance.state.value}.",
            fix=f"Start it: invoke start {name}\nRead its logs: invoke logs {name}",
        )
    return instance


def login_shell(lxd: Lxd, instance: Instance, account: str | None) -> tuple[str, ...]:
    """The command of a login shell of ACCOUNT, or of the container's person.

    InputError where there is no such account, or nobody logs in as it.
    """
    wanted = account or instance.config[labels.OWNER]
    found = lxd.run(instance.name, ("getent", "passwd", "--", wanted), timeout=_SECONDS)
    fields = found.stdout.strip().split(":")
    # getent also takes a number, of which su knows nothing.
    if found.exit_code != 0 or len(fields) != 7 or fields[0] != wanted:
        raise InputError(
            f"There is no account {quote(wanted)} in {instance.name}.",
            fix=f"List the accounts: invoke exec {instance.name} -- getent passwd\n"
            f"Use root's shell: invoke shell {instance.name} --as root",
        )
    if fields[6].rpartition("/")[2] in _NO_SHELLS:
        raise InputError(
            f"The account {quote(wanted)} in {instance.name} has no login shell: {fields[6]}.",
            fix=f"Use root's shell: invoke shell {instance.name} --as root",
        )
    return "su", "-l", wanted
