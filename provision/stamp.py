"""Provisioning, from a request to a container that its user can log in to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lab.errors import LabError
from lab.lock import held
from lab.lxd.port import Lxd
from lab.report import Report
from lab.settings import Settings
from provision.actions import Action
from provision.apply import apply
from provision.facts import read
from provision.listing import show
from provision.plan import plan
from provision.ready import Knock, Patience, knock
from provision.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped:
    """How a provisioning ended; as a plan only, CARD is None unless the container is there."""

    changed: bool
    actions: tuple[Action, ...]
    card: dict[str, Any] | None
    """What `show` gives."""
    password: str | None = field(default=None, repr=False)
    """Known to nobody else from here on."""


def provision(
    lxd: Lxd,
    settings: Settings,
    request: Request,
    report: Report,
    *,
    only_plan: bool = False,
    patience: Patience | None = None,
    knock: Callable[[str], Knock] = knock,
) -> Stamped:
    """Make the container that REQUEST wants; nothing when it is there already."""
    name = request.name
    with held(lock_name(settings, name), report, f"provision {name}"):
        actions = plan(request, read(lxd, settings, request))
        if only_plan or not actions:
            card = None if actions else show(lxd, settings, name)
            return Stamped(changed=False, actions=actions, card=card)
        try:
            password = apply(actions, lxd, report, patience=patience, knock=knock)
        except LabError as error:
            report.failed(name, error.brief)
            raise
        report.done(name, "ready")
        card = show(lxd, settings, name)
        return Stamped(changed=True, actions=actions, card=card, password=password)


def lock_name(settings: Settings, name: str) -> str:
    """One for each container of each project."""
    return f"container-{settings.project}-{name}"
