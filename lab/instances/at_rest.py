"""An instance at rest: it runs, so that commands can be run in it, and nothing of its own does.

What a system does at its first boot (keys, seeds, ids, a user's own units) it may do some seconds
later, and nobody knows all of it. So the instance that is cleaned and packed never boots: its init
only waits. After the cleaning, nothing gets into an image but what labstamp itself puts there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from lab.errors import LxdError, LxdUnreachable
from lab.lxd.port import Lxd
from lab.wait import poll

RAW: Final = "raw.lxc"
_INIT: Final = "/bin/sleep"
_CONFIG: Final = "\n".join(
    (
        f"lxc.init.cmd = {_INIT} infinity",
        # As an init would have it: what is written to /run is not part of an image.
        "lxc.mount.entry = tmpfs run tmpfs rw,nosuid,nodev,mode=0755,create=dir 0 0",
    )
)
_SECONDS: Final = 30


@contextmanager
def at_rest(lxd: Lxd, name: str) -> Iterator[None]:
    """NAME, stopped before, at rest meanwhile and stopped afterwards.

    LxdError where anything but the waiting init came up. What fails inside leaves NAME as it is.
    """
    lxd.update(name, config={RAW: _CONFIG})
    lxd.start(name)
    _insist(lxd, name)
    yield
    lxd.stop(name, force=True)
    lxd.update(name, config={RAW: None})


def _insist(lxd: Lxd, name: str) -> None:
    """LXD may ignore the key; then NAME would boot, and could not be published any more."""
    wanted = _INIT.rpartition("/")[2]
    heard = ""

    def probe() -> bool | None:
        nonlocal heard
        try:
            heard = lxd.run(name, ["cat", "/proc/1/comm"], timeout=30).stdout.strip()
        except LxdUnreachable:
            raise
        except LxdError:
            return None  # too early to enter it
        return True if heard == wanted else None

    def refusal() -> LxdError:
        return LxdError(
            f"LXD could not start {name} without its services.",
            details=f"Its init is {heard or 'unknown'}, not {wanted}; asked for by {RAW}.",
        )

    poll(probe, what=f"{name} at rest", timeout=_SECONDS, every=0.05, on_timeout=refusal)
