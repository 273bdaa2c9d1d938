"""Ending a process of others: that very one, or none."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress


def kill_if(pid: int, still: Callable[[], bool]) -> None:
    """End the process PID where STILL says that it is the one that is meant.

    Never one that has got its number since. PermissionError where we may not.
    """
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            if still():
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)
