"""A look at a file that may never end: of a network file system whose server is away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, TypeVar

SECONDS: Final = 10.0

Found = TypeVar("Found")


def within(look: Callable[[], Found], seconds: float = SECONDS) -> Found:
    """What LOOK returns or raises; OSError where that takes longer than SECONDS."""
    found: list[Found] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(look())
        except BaseException as error:  # noqa: BLE001 - raised again below
            failed.append(error)

    # A daemon: this process can end while the kernel still waits for that server.
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not found:
        raise TimeoutError(f"no answer within {seconds:.0f} s")
    return found[0]
