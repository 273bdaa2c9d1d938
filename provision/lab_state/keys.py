"""Which keys are written into the file, and which of them are put back. Pure.

Not what may hold a secret: `environment.*`, `raw.*`, other programs' `user.*`. LXD has these beside
the root of each instance, and `lxd recover` brings them back from there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from lab import labels
from lab.lxd.idmap import NEXT, ON_DISK, ON_VOLUME
from lab.lxd.model import Instance
from provision.former import is_kept_root
from provision.moving import is_moved_away

MARK: Final = "user.lab."
_PREFIXES: Final = (
    MARK,
    "boot.",
    "cloud-init.",
    "limits.",
    "linux.kernel_modules",
    "migration.",
    "nvidia.",
    "security.",
    "snapshots.",
)
_NAMES: Final = frozenset(
    {
        "user.meta-data",
        "user.network-config",
        "user.user-data",
        "user.vendor-data",
        "volatile.base_image",
        "volatile.cloud-init.instance-id",
        ON_DISK,
        ON_VOLUME,
        NEXT,
    }
)
_HARDWARE: Final = re.compile(r"volatile\.[A-Za-z0-9._-]+\.hwaddr", re.ASCII)
_NOTED: Final = frozenset({"volatile.base_image", ON_DISK, ON_VOLUME, NEXT})
"""Of instances: LXD writes these itself, and is the one who knows."""
_PASSING: Final = frozenset(
    {
        labels.ARRIVAL,
        labels.BUILDER,
        labels.CLOSED,
        labels.COPY,
        labels.ISOLATE,
        labels.MOVE,
        labels.PHASE,
        labels.RENAME,
        labels.RESTORE,
        labels.SNAPSHOT,
        labels.SYNC,
        labels.UNCLEAN,
        labels.UPGRADE,
    }
)
"""What a run writes and removes again: of the night it is no truth about the day."""
_SECRETS: Final = re.compile(
    r"plain_text_passwd|hashed_passwd|\bpasswd\s*:|\bpassword\s*:|chpasswd|PRIVATE KEY"
    r"|\$(?:1|5|6|7|y|gy|2[aby])\$[./A-Za-z0-9$=,]{8,}"
)
_USER_DATA: Final = ("cloud-init.", "user.user-data", "user.vendor-data")


def is_saved(key: str) -> bool:
    return key.startswith(_PREFIXES) or key in _NAMES or _HARDWARE.fullmatch(key) is not None


def refused_reason(key: str) -> str:
    is_others = key.startswith(("raw.", "environment."))
    return ": the admin's own, which may hold a secret" if is_others else ""


def saved(config: Mapping[str, str]) -> dict[str, str]:
    """Of CONFIG what the file holds: no secret, and in one order."""
    return {
        key: value
        for key, value in sorted(config.items())
        if is_saved(key) and not (key.startswith(_USER_DATA) and _SECRETS.search(value))
    }


def marks(config: Mapping[str, str]) -> dict[str, str]:
    """What a snapshot's CONFIG tells of it: whose ids its files have, and who took it."""
    known = (labels.SNAPSHOT, ON_DISK, ON_VOLUME)
    return {key: config[key] for key in sorted(known) if key in config}


def is_marked(config: Mapping[str, str]) -> bool:
    """Whether labstamp made what has CONFIG."""
    return any(key.startswith(MARK) for key in config)


def wishes(instance: Instance) -> dict[str, str]:
    """What INSTANCE is to be, as far as it can be put back: nothing of runs that went on then."""
    kept = {labels.UPGRADE, labels.PHASE} if is_kept_root(instance) else {labels.PHASE}
    if is_moved_away(instance):
        kept |= {labels.MOVE}  # for good: another server has it
    config = saved(instance.config)
    if config.get(labels.PHASE) != labels.READY:
        kept -= {labels.PHASE}
    dropped = (_PASSING - kept) | _NOTED
    return {key: value for key, value in config.items() if key not in dropped}


def lasting(config: Mapping[str, str]) -> dict[str, str]:
    """The keys of a volume that are put back. A home is whole: somebody may have written to it."""
    found = {key: value for key, value in config.items() if key not in _PASSING}
    return found | ({labels.PHASE: labels.READY} if labels.PHASE in config else {})


UNDECIDED: Final[Mapping[str, str]] = MappingProxyType(
    {
        labels.UNCLEAN: "a copy of another home was being made in it",
        labels.COPY: "files were being taken out of a snapshot by it",
        labels.ARRIVAL: "a copy from another server was being made in it",
    }
)
"""On volumes in the file: why nobody can say today whose the files are."""
