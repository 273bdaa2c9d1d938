"""Expected failures as users read them: what happened, the details, what to do next.

The exit codes are part of the interface (README, "Exit codes"); nothing but `tasks.py` turns
them into a process exit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class LabError(Exception):
    """An expected failure. `str()` is the whole text a person sees, one to many lines."""

    exit_code: ClassVar[int] = 1

    def __init__(self, brief: str, *, details: str | None = None, fix: str | None = None) -> None:
        self.brief = brief
        self.details = details
        self.fix = fix
        super().__init__(brief)

    def __str__(self) -> str:
        lines = [self.brief]
        if self.details:
            lines += [f"  {line}" for line in self.details.splitlines()]
        if self.fix:
            first, *rest = self.fix.splitlines()
            lines += [f"Next: {first}", *(f"      {line}" for line in rest)]
        return "\n".join(lines)


class InputError(LabError):
    """A file or an argument that the user wrote cannot be used (exit 2)."""

    exit_code = 2


class NoNetwork(InputError):
    """A builder cannot reach a server it must fetch from: a wrong setting, or the network."""


class CapacityError(LabError):
    """The machine has no room: GPUs, disk, memory (exit 3)."""

    exit_code = 3


class LxdError(LabError):
    """LXD is unreachable, refused a request, or failed at it (exit 4)."""

    exit_code = 4


class LxdUnreachable(LxdError):
    """No daemon answers, or it does not let us in."""


class LxdSilent(LxdUnreachable):
    """The daemon accepted a request and did not answer in time."""


class PoolFull(CapacityError, LxdError):
    """LXD found no space left where it wrote: in its pool, or in its own directory (exit 3)."""


class Stuck(LxdError):
    """A request about one instance timed out; other instances are not affected."""


class TooMuch(LxdError):
    """A file, a directory or an output inside an instance is larger than the limit."""


class InstanceCorrupted(LxdError):
    """A start failed halfway and left the instance's files in a state in which it never starts.

    Delete it and make it again: nothing is lost, since it has never run.
    """


class SnapshotUnfit(LxdError):
    """A snapshot names a network, a pool or a profile that the server does not have."""


class NotFound(LxdError):
    """The object asked for is not there."""


class Conflict(LxdError):
    """An object of that name exists, or another program changed it meanwhile."""


class CommandTimeout(LxdError):
    """A command inside an instance ran past its deadline and was killed."""


class CheckError(LabError):
    """An image failed its checks, or could not be built to the point of being checked (exit 5)."""

    exit_code = 5


def together(failed: Sequence[tuple[str, LabError]], brief: str, *, fix: str) -> LabError | None:
    """What makes a command end badly of which some names FAILED; None where none did.

    One failure is told as it is. Several of one kind keep its exit code; else it is 4.
    """
    if len(failed) <= 1:
        return failed[0][1] if failed else None
    kinds = (InputError, CapacityError, CheckError)
    of_all = (one for one in kinds if all(isinstance(error, one) for _, error in failed))
    told = "\n".join(f"{name}: {error}" for name, error in failed)
    return next(of_all, LxdError)(brief, details=told, fix=fix)
