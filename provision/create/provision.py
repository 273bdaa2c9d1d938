"""Provisioning, from a request to a container that its user can log in to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from lab.errors import LabError
from lab.gpus.users import instances_with_gpus
from lab.lxd.nic_filters import bridged_ipv6
from lab.lxd.port import Lxd
from lab.machine.lock import hold_lock
from lab.rdp import Greet, greet
from lab.report import Report
from lab.settings.settings import Settings
from lab.shares.ground import Ground
from provision.clone.source import read_source
from provision.create.actions import Action, ChangeGpus
from provision.create.apply import apply
from provision.create.claim import refuse_second
from provision.create.facts import read
from provision.create.ids import refuse_taken_ids
from provision.create.plan import plan
from provision.create.ready import SshProbe, Timeouts, probe_ssh
from provision.create.request import Request
from provision.ids.facts import IDS_LOCK, read_ids
from provision.listing import show
from provision.managed import container_lock
from provision.shares.prepare import insist_on_root, prepare


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A wish for the root of the container SOURCE."""

    source: str
    with_home: bool = False
    """And for what is in its home."""


GPUS_LOCK = "cards"
"""One for the whole host: labs in several projects share its GPUs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioned:
    """How a provisioning ended; as a plan only, SUMMARY is None unless the container is there."""

    changed: bool
    actions: tuple[Action, ...]
    summary: dict[str, Any] | None
    """What `show` gives."""
    password: str | None = field(default=None, repr=False)
    """Known to nobody else from here on."""


def provision(
    lxd: Lxd,
    settings: Settings,
    request: Request,
    report: Report,
    *,
    copy: Copy | None = None,
    only_plan: bool = False,
    timeouts: Timeouts | None = None,
    probe_ssh: Callable[[str], SshProbe] = probe_ssh,
    greet: Greet = greet,
    bridged_ipv6: Callable[[], bool] = bridged_ipv6,
    ground: Ground | None = None,
) -> Provisioned:
    """Make the container that REQUEST wants, or give it other GPUs; nothing when it is as wanted.

    COPY: of another's root, whose template is the one then; a GPU only where REQUEST names one.
    DriftError where the release has to be built first.
    """
    name = request.name
    what, remote = f"provision {name}", settings.remote
    with ExitStack() as locks, ExitStack() as choosing:
        # In one order, so that no two wait for each other.
        for each in sorted({name, copy.source if copy else name}):
            lock = container_lock(settings, each, report, what)
            (locks if each == name else choosing).enter_context(lock)
        if not only_plan and _wants_gpus(request, settings):
            choosing.enter_context(hold_lock(GPUS_LOCK, report, what, remote=remote))
        if not only_plan:
            # Always after the other, so that no two wait for each other.
            choosing.enter_context(hold_lock(IDS_LOCK, report, what, remote=remote))
        source = read_source(lxd, copy.source, with_home=copy.with_home) if copy else None
        if source is not None:
            request = request.of_template(source.offer.release.template)
        facts = read(
            lxd, settings, request, source=source, bridged_ipv6=bridged_ipv6, ground=ground
        )
        actions = plan(request, facts)
        if only_plan or not actions:
            summary = None if actions else show(lxd, settings, name)
            return Provisioned(changed=False, actions=actions, summary=summary)

        here = ground or Ground()
        insist_on_root(actions, here)

        def claimed() -> None:
            # From here on LXD tells everybody of it; only the choice is made one by one.
            if facts.gpus.policy.limit is not None:
                refuse_second(actions, instances_with_gpus(lxd, settings), facts.gpus)
            refuse_taken_ids(actions, request, facts, read_ids(lxd))
            choosing.close()

        try:
            password = apply(
                actions,
                lxd,
                report,
                timeouts=timeouts,
                probe_ssh=probe_ssh,
                greet=greet,
                claimed=claimed,
                prepare=lambda share: prepare(share, settings, report, here),
            )
        except LabError as error:
            report.failed(name, error.brief)
            raise
        report.done(name, _outcome(actions))
        summary = show(lxd, settings, name)
        return Provisioned(changed=True, actions=actions, summary=summary, password=password)


def _wants_gpus(request: Request, settings: Settings) -> bool:
    wish = settings.gpus.default if request.gpus is None else request.gpus
    return not wish.is_none


def _outcome(actions: tuple[Action, ...]) -> str:
    for action in actions:
        if isinstance(action, ChangeGpus):
            return f"has {_gpus(action)}{action.proviso}"
    return "ready"


def _gpus(action: ChangeGpus) -> str:
    return f"the GPUs {', '.join(action.given)}" if action.given else "no GPU"
