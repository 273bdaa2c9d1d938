"""`invoke host.check`: reads the machine and its LXD, and reports faults and their fixes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from shlex import quote

from host.check import containers as container_findings
from host.check import ids as id_findings
from host.check import machine as machine_findings
from host.check import memory as memory_findings
from host.check import network as network_findings
from host.check import nics as nic_findings
from host.check import pools as pool_findings
from host.check import shares as share_findings
from host.check import unfinished as unfinished_findings
from host.check.containers import Scene
from host.check.drift import Versions
from host.check.drift import findings as drift_findings
from host.check.facts import GpuFacts, read_gpu_facts
from host.check.gpu_users import GpuUser, read_gpu_users
from host.check.memory import MemoryFacts, read_memory_facts
from host.check.network_facts import (
    NetworkFacts,
    read_builders_facts,
    read_network_facts,
    users_network,
)
from host.check.nics import NicFacts
from host.check.shares import ShareFacts, read_share_facts
from host.check.unfinished import Work
from host.finding import Finding, Status
from host.machine import Machine
from host.units import gpu_boot, kernel_limits
from host.units.kernel_limits import read_limits
from lab import labels
from lab.driver.delivery import choose
from lab.errors import InputError
from lab.lxd.model import Gpu, Instance, Pool, Server
from lab.lxd.nic_filters import Wanted, bridged_ipv6
from lab.lxd.port import Lxd
from lab.settings.settings import Settings
from lab.shares.ground import Ground


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    gpus: tuple[Gpu, ...]
    server: Server
    users: tuple[GpuUser, ...]
    machine: GpuFacts | None
    """None, with all below, for an LXD on another machine."""
    pools: tuple[Pool, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)
    memory: MemoryFacts = field(default_factory=MemoryFacts)
    network: NetworkFacts | None = None
    builders: NetworkFacts | None = None
    """The bridge of builders alone, where there is one."""
    nics: NicFacts = field(default_factory=NicFacts)
    shares: ShareFacts = field(default_factory=ShareFacts)
    unfinished: Sequence[Work] = ()
    containers: tuple[Instance, ...] = ()
    """Labstamp's own, also those of an LXD on another machine."""


def check(
    lxd: Lxd,
    settings: Settings,
    versions: Versions,
    machine: Machine,
    *,
    unfinished: Sequence[Work] = (),
) -> tuple[Finding, ...]:
    """As images/ and provision/ know: VERSIONS, which driver is in releases and containers, and
    UNFINISHED work on containers."""
    facts = replace(read(lxd, settings, machine), unfinished=unfinished)
    boot_script = quote(str(gpu_boot.SCRIPT))
    return tuple(judge(facts, settings, versions, sudo=_sudo(machine), boot_script=boot_script))


def obstacles(
    lxd: Lxd, settings: Settings, machine: Machine, *, builds: bool = False
) -> tuple[Finding, ...]:
    """What keeps containers (BUILDS: builders, too) from their addresses and the world."""
    if not settings.is_local:
        return ()
    every = [read_network_facts(lxd, settings, machine)]
    if builds:
        every.append(read_builders_facts(lxd, machine))
    found = (
        one
        for facts in every
        if facts is not None
        for one in network_findings.findings(facts, _sudo(machine))
    )
    return tuple(one for one in found if one.status is Status.FAIL)


def read(lxd: Lxd, settings: Settings, machine: Machine) -> Facts:
    facts = Facts(
        gpus=lxd.gpus(),
        server=lxd.server(),
        users=read_gpu_users(lxd),
        machine=None,
        nics=_read_nics(lxd, settings),
        containers=tuple(one for one in lxd.instances() if labels.OWNER in one.config),
    )
    if not settings.is_local:
        return facts
    return replace(
        facts,
        machine=read_gpu_facts(machine),
        pools=lxd.pools(),
        limits=read_limits(machine),
        memory=read_memory_facts(lxd, machine, facts.containers),
        network=read_network_facts(lxd, settings, machine),
        builders=read_builders_facts(lxd, machine),
        shares=read_share_facts(lxd, settings, facts.containers, Ground()),
    )


def _read_nics(lxd: Lxd, settings: Settings) -> NicFacts:
    return NicFacts(
        instances=nic_findings.containers(lxd.instances()),
        networks=lxd.networks(),
        wanted=Wanted(
            filters=settings.network_filters,
            isolation=settings.port_isolation,
            ipv6=bridged_ipv6() if settings.is_local else None,
        ),
        users=users_network(lxd, settings),
    )


def _sudo(machine: Machine) -> str:
    return "" if machine.superuser else "sudo "


def judge(
    facts: Facts, settings: Settings, versions: Versions, *, sudo: str, boot_script: str
) -> Iterator[Finding]:
    """Pure."""
    if facts.machine is not None:
        yield from pool_findings.findings(facts.pools)
        yield from kernel_limits.findings(facts.limits, sudo)
        yield from memory_findings.findings(facts.memory, facts.server, facts.containers, sudo)
        for network in filter(None, (facts.network, facts.builders)):
            yield from network_findings.findings(network, sudo)
    yield from nic_findings.findings(facts.nics, facts.server, sudo)
    yield from id_findings.findings(facts.containers)
    yield from unfinished_findings.findings(facts.unfinished, facts.containers)
    yield from share_findings.findings(facts.shares)
    yield _gpus(facts.gpus)
    if facts.machine is None:
        yield _elsewhere(settings)
    elif facts.gpus:
        yield from machine_findings.findings(
            facts.machine, facts.gpus, sudo=sudo, boot_script=boot_script
        )
    if facts.gpus:
        yield _delivery(settings, facts)
    if facts.gpus or facts.users:
        drm = facts.machine.drm if facts.machine else {}
        scene = Scene(gpus=facts.gpus, server=facts.server, drm=drm)
        yield from container_findings.findings(facts.users, scene)
    if facts.gpus:
        yield from drift_findings(versions)


def _gpus(gpus: Sequence[Gpu]) -> Finding:
    if not gpus:
        return Finding(name="gpu", found="no GPU")
    models = dict.fromkeys(gpu.model for gpu in gpus)
    counted = [f"{sum(gpu.model == model for gpu in gpus)} × {model}" for model in models]
    return Finding(name="gpu", found=", ".join(counted))


def _elsewhere(settings: Settings) -> Finding:
    return Finding(
        name="host",
        found=f"LXD is on another machine ({settings.remote}): run host.check there to check "
        "its kernel module, device nodes, boot and packages",
    )


def _delivery(settings: Settings, facts: Facts) -> Finding:
    try:
        chosen = choose(settings, facts.server, facts.gpus)
    except InputError as error:
        return Finding(
            name="delivery",
            status=Status.FAIL,
            found=error.brief,
            why="Containers would get GPUs without the libraries to use them.",
            fix=error.fix,
        )
    return Finding(name="delivery", found=str(chosen))
