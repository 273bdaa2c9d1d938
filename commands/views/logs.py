"""The logs of a container for people. Pure."""

from __future__ import annotations

from lab.lxd.model import Instance
from provision.logs import Log


def head(instance: Instance) -> str:
    return f"{instance.name}: {instance.state.value}"


def text(log: Log) -> str:
    """Its lines are indented: none of them looks like a title of ours."""
    lines = log.lines or (log.why or "",)
    return "\n".join(["", f"== {log.title}", *(f"  {line}" for line in lines)])
