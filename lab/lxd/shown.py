"""What all commands inside instances have: an environment, and a form in which errors name them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "USER": "root",
    "LANG": "C.UTF-8",
}
# Seen about once in 300 commands in containers with syscall interception on LXD 5.0.2. In one
# case that was looked at, the command had run all the same.
NOT_ENTERED: Final = "Failed to retrieve PID of executing child process"


def shown(argv: Sequence[str]) -> str:
    line = shlex.join(argv).replace("\n", "\\n")
    return line if len(line) <= 120 else line[:117] + "..."
