"""Commands about what is inside a container, for the admin: a shell, a command, its logs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from invoke.context import Context
from invoke.exceptions import Exit

from commands.cli import command, connect_to, count, read_settings
from lab import console
from lab.errors import InputError
from lab.lxd.port import Lxd

_LINES: Final = 50
_MOST_LINES: Final = 10_000


@command(
    help={
        "name": "The container.",
        "as": "The account. Default: the container's own; root for the whole system.",
    }
)
def shell(_c: Context, name: str, as_: str = "") -> None:
    """Open a login shell in a container, also where its network or its ssh does not work."""
    from provision.entering import login_shell, running_container

    lxd = connect_to(read_settings())
    instance = running_container(lxd, name)
    _run(lxd, name, login_shell(lxd, instance, as_ or None))


@command(name="exec", help={"name": "The container; then -- and the command, as it is."})
def execute(_c: Context, name: str) -> None:
    """Run a command in a container as root: invoke exec NAME -- COMMAND."""
    from provision.entering import running_container

    argv = behind_dashes(sys.argv)
    if not argv:
        raise InputError(
            "exec needs a command.", fix=f"Write it behind two dashes: invoke exec {name} -- df -h"
        )
    lxd = connect_to(read_settings())
    running_container(lxd, name)
    _run(lxd, name, argv)


@command(
    help={
        "name": "The container, running or stopped.",
        "lines": f"How many of the last lines of each log ({_LINES}).",
    }
)
def logs(_c: Context, name: str, lines: str = "") -> None:
    """Show the ends of a container's console, of its first boot and of its journal."""
    from commands.views import logs as view
    from provision.logs import logs_of
    from provision.managed import managed_container

    most = count("lines", lines)
    if most is not None and not 1 <= most <= _MOST_LINES:
        raise InputError(f"--lines {lines}: expected a number from 1 to {_MOST_LINES}.")
    lxd = connect_to(read_settings())
    instance = managed_container(lxd, name)
    console.print_text(view.head(instance))
    for log in logs_of(lxd, instance, lines=most or _LINES):
        console.print_verbatim(view.text(log))


def behind_dashes(argv: Sequence[str]) -> tuple[str, ...]:
    """The words of ARGV behind the first `--`, which invoke's parser would join."""
    words = list(argv)
    return tuple(words[words.index("--") + 1 :]) if "--" in words else ()


def _run(lxd: Lxd, name: str, argv: Sequence[str]) -> None:
    """To its end; its exit code is ours."""
    from lab.machine.terminal import given_away

    with given_away() as streams:
        code = lxd.attach(name, argv, streams, env=_environment(os.environ) if streams.size else {})
    if code != 0:
        raise Exit(code=code)


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """What a program has to know of the terminal that it draws on."""
    return {key: own[key] for key in ("TERM", "COLORTERM") if own.get(key)}
