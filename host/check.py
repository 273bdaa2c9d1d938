"""`invoke host.check`: reads the machine and its LXD, and says what is wrong and what mends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from shlex import quote

from host import gpu_unit, machine_findings, user_findings
from host.drift_findings import Versions
from host.drift_findings import findings as drift_findings
from host.finding import Finding, Status
from host.gpu_facts import GpuFacts, read_gpu_facts
from host.gpu_users import GpuUser, read_gpu_users
from host.machine import Machine
from host.user_findings import Scene
from lab.delivery import choose
from lab.errors import InputError
from lab.lxd.model import Card, Server
from lab.lxd.port import Lxd
from lab.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    cards: tuple[Card, ...]
    server: Server
    users: tuple[GpuUser, ...]
    machine: GpuFacts | None
    """None for an LXD on another machine."""


def check(
    lxd: Lxd, settings: Settings, versions: Versions, machine: Machine
) -> tuple[Finding, ...]:
    """VERSIONS: which driver is in releases and containers, as the other wings know."""
    facts = read(lxd, settings, machine)
    boot_script = quote(str(gpu_unit.SCRIPT))
    sudo = "" if machine.superuser else "sudo "
    return tuple(judge(facts, settings, versions, sudo=sudo, boot_script=boot_script))


def read(lxd: Lxd, settings: Settings, machine: Machine) -> Facts:
    return Facts(
        cards=lxd.cards(),
        server=lxd.server(),
        users=read_gpu_users(lxd),
        machine=read_gpu_facts(machine) if settings.remote == "local" else None,
    )


def judge(
    facts: Facts, settings: Settings, versions: Versions, *, sudo: str, boot_script: str
) -> Iterator[Finding]:
    """Pure."""
    yield _cards(facts.cards)
    if facts.machine is None:
        yield _elsewhere(settings)
    elif facts.cards:
        yield from machine_findings.findings(
            facts.machine, facts.cards, sudo=sudo, boot_script=boot_script
        )
    if facts.cards:
        yield _delivery(settings, facts)
    if facts.cards or facts.users:
        drm = facts.machine.drm if facts.machine else {}
        scene = Scene(cards=facts.cards, server=facts.server, drm=drm)
        yield from user_findings.findings(facts.users, scene)
    if facts.cards:
        yield from drift_findings(versions)


def _cards(cards: Sequence[Card]) -> Finding:
    if not cards:
        return Finding(name="gpu", found="no GPU")
    models = dict.fromkeys(card.model for card in cards)
    counted = [f"{sum(card.model == model for card in cards)} × {model}" for model in models]
    return Finding(name="gpu", found=", ".join(counted))


def _elsewhere(settings: Settings) -> Finding:
    return Finding(
        name="host",
        found=f"LXD is on another machine ({settings.remote}): its module, nodes, boot and "
        "packages are seen by a host.check there",
    )


def _delivery(settings: Settings, facts: Facts) -> Finding:
    try:
        chosen = choose(settings, facts.server, facts.cards)
    except InputError as error:
        return Finding(
            name="delivery",
            status=Status.FAIL,
            found=error.brief,
            why="Containers would get cards without the libraries to use them.",
            fix=error.fix,
        )
    return Finding(name="delivery", found=str(chosen))
