"""`lxd recover`, which asks at a terminal and has no options: answered by a program.

It repeats a question that nobody answers without end, so it is ended when it asks an unknown one.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from shlex import quote
from threading import Timer
from typing import Final

from lab.errors import InputError, LxdError

_MISSING: Final = "You are currently missing the following"
_END: Final = "Please create those missing entries"
_PLACES: Final = "/snap/bin:/usr/sbin:/sbin"
_PATIENCE: Final = 1800.0
"""Every volume of every pool is mounted and read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One that LXD does not know any more, as it was made."""

    name: str
    driver: str
    source: str
    config: Mapping[str, str] = field(default_factory=dict)


def answers(pools: Sequence[Pool]) -> tuple[str, ...]:
    """What is typed to have all instances and volumes of POOLS found. Pure."""
    found: list[str] = []
    for pool in pools:
        more = [f"{key}={value}" for key, value in sorted(pool.config.items())]
        found += ["yes", pool.name, pool.driver, pool.source, *more, ""]
    return (*found, "no", "yes", "yes")


def command(pools: Sequence[Pool]) -> str:
    """The same as a line for a shell."""
    typed = " ".join(quote(answer) for answer in answers(pools))
    return f"printf '%s\\n' {typed} | timeout {_PATIENCE:.0f} lxd recover"


def recover(pools: Sequence[Pool], *, program: str | None = None) -> None:
    """Have the LXD of this machine find what is in POOLS. LxdError where it does not."""
    program = program or shutil.which("lxd") or shutil.which("lxd", path=_PLACES)
    if program is None:
        raise InputError(
            "There is no program `lxd` here, which finds what is in a pool.",
            fix=f"Run on the machine of LXD, as root: {command(pools)}",
        )
    said: list[str] = []
    with subprocess.Popen(
        [program, "recover"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        late = Timer(_PATIENCE, process.kill)
        late.start()
        try:
            # One that fails may end before it reads; what it says tells why.
            with suppress(BrokenPipeError):
                if process.stdin is not None:
                    process.stdin.write("\n".join((*answers(pools), "")))
                    process.stdin.close()
            for line in process.stdout or ():
                if _END in line:
                    process.kill()
                    break
                said.append(line)
        finally:
            late.cancel()
    if process.returncode != 0:
        raise _failed(said, pools)


def _failed(said: Sequence[str], pools: Sequence[Pool]) -> LxdError:
    whole = "".join(said)
    missing = whole.partition(_MISSING)[2]
    if missing:
        lines = [line.strip(" -") for line in missing.splitlines() if line.startswith(" - ")]
        return LxdError(
            "`lxd recover` needs what LXD does not have.",
            details="\n".join(lines),
            fix="Make these with lxc, then run the same command again.",
        )
    last = [line for line in whole.splitlines() if line.strip()][-4:]
    return LxdError(
        "`lxd recover` failed.",
        details="\n".join(last),
        fix=f"Correct the cause, then run the same command again, or by hand: {command(pools)}",
    )
