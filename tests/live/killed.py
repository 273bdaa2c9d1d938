"""`python -m tests.live.killed COUNT invoke-ARGUMENTS…`: a command that dies like by SIGKILL.

It dies before its change to the daemon after the first COUNT ones, and ends as usual where it makes
no more. The changes go to the real daemon by the project's own gateway.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from commands import cli
from lab.lxd.port import Lxd

_CHANGES: Final = """
create create_network create_pool create_project create_snapshot create_volume delete delete_alias
delete_file delete_image delete_project delete_snapshot delete_volume import_image publish
publish_packed rename restore_snapshot run set_alias set_image_properties set_profile_devices start
stop update update_volume write_file
"""
CHANGES: Final = frozenset(_CHANGES.split())


@dataclass
class Dying:
    """What a command has of the daemon; LEFT is shared with its other projects."""

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


def main(count: int, *arguments: str) -> None:
    connect = cli.connect_to

    def dying(settings: Any) -> Lxd:
        return cast("Lxd", Dying(lxd=connect(settings), left=[count]))

    for module in ("commands.containers", "commands.provisioning", "commands.cli"):
        __import__(module)
        sys.modules[module].connect_to = dying  # type: ignore[attr-defined]
    from invoke.main import program  # noqa: PLC0415 - after its parts were replaced

    program.run(["invoke", *arguments])


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
