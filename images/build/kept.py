"""Sources and bodies are kept as stopped instances, and trusted as long as nobody started them.

One that ran, by hand or with LXD, is another system afterwards: it has an identity of its own,
accounts of cloud-init's, logs. It is rebuilt.
"""

from __future__ import annotations

from typing import Final

from lab import labels
from lab.lxd.model import Instance, State
from lab.lxd.port import Lxd

_NEVER: Final = "never"


def keep(lxd: Lxd, name: str, recipe: str) -> None:
    """Mark NAME, which is stopped, as finished and made by RECIPE."""
    found = lxd.instance(name)
    lxd.update(
        name,
        config={
            labels.PHASE: labels.READY,
            labels.BUILDER: None,
            labels.RECIPE: recipe,
            labels.FINISHED: _last_start(found) if found else _NEVER,
        },
    )


def recipe_of(instance: Instance) -> str | None:
    """What INSTANCE was made by; None where it is not as it was finished. Pure."""
    config = instance.config
    if config.get(labels.PHASE) != labels.READY or instance.state is not State.STOPPED:
        return None
    if config.get(labels.FINISHED) != _last_start(instance):
        return None
    return config.get(labels.RECIPE)


def _last_start(instance: Instance) -> str:
    started = instance.last_used_at
    return started.isoformat() if started else _NEVER
