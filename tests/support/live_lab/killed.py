"""A command that dies as by SIGKILL.

It dies before its change to the daemon after the first COUNT ones, and ends as usual where it makes
no more. The changes go to the real daemon by the project's own gateway.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Final, cast

import commands
from commands import cli
from lab.lxd.port import Lxd
from tests.support.live_lab.gpu_host import where_lxd_is
from tests.support.live_lab.lab import Lab
from tests.support.live_lab.served import served

_CHANGES: Final = """
attach copy_volume copy_volume_snapshot create create_network create_pool create_project
create_snapshot create_volume
create_volume_snapshot delete delete_alias delete_file delete_image delete_project delete_snapshot
delete_volume delete_volume_snapshot download_image import_image publish publish_packed
receive_instance receive_volume rename
rename_volume restore_snapshot restore_volume run set_alias set_image_properties set_network_acl
set_profile set_profile_devices start stop update update_volume write_file
"""
CHANGES: Final = frozenset(_CHANGES.split())


def killed(lab: Lab, after: int, *arguments: str) -> bool:
    """Whether `invoke ARGUMENTS` was, before its change number AFTER + 1; else it made no more."""
    environ = lab.environment({})
    before = where_lxd_is(environ, lab.root)
    ended = served(before, lab.root, arguments, environ, timeout=300, dies_after=after)
    assert ended.returncode in {0, -signal.SIGKILL}, ended.stderr
    return ended.returncode != 0


@dataclass
class Dying:
    """What a command has of a daemon; LEFT is shared with its other projects and daemons."""

    lxd: Any
    left: list[int]

    def __getattr__(self, verb: str) -> Any:
        found = getattr(self.lxd, verb)
        if verb == "in_project":
            return lambda name: Dying(lxd=found(name), left=self.left)
        return self._counted(found) if verb in CHANGES else found

    def _counted(self, change: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            if self.left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self.left[0] -= 1
            return change(*arguments, **options)

        return counted


def die_after(count: int) -> None:
    """Have every command of this process die before its change number COUNT + 1."""
    connect, left = cli.connect_to, [count]

    def dying(settings: Any) -> Lxd:
        return cast("Lxd", Dying(lxd=connect(settings), left=left))

    for found in iter_modules(commands.__path__, "commands."):
        names = vars(import_module(found.name))
        if "connect_to" in names:
            names["connect_to"] = dying
