"""What the daemon's process may not do, and so cannot give to an instance."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

_SYS_RESOURCE: Final = 1 << 24
"""capabilities(7): without it nobody raises a limit of processes above their own."""
_LIMITS: Final = "limits.kernel."


def asks_for_limits(config: Mapping[str, str]) -> bool:
    return any(key.startswith(_LIMITS) for key in config)


def without_limits(config: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in config.items() if not key.startswith(_LIMITS)}


def may_raise_limits(pid: int | None, proc: Path = Path("/proc")) -> bool:
    """Whether process PID may; True if not known. A daemon inside a container never may."""
    try:
        status = (proc / str(pid) / "status").read_text(encoding="ascii", errors="replace")
        ids = (proc / str(pid) / "uid_map").read_text(encoding="ascii").split()
    except OSError:
        return True
    held = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "")
    whole_machine = ids == ["0", "0", str(2**32 - 1)]
    return not held or (bool(int(held, 16) & _SYS_RESOURCE) and whole_machine)
