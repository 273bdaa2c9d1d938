"""What is so with the host's cards and its driver; a part of `provision.create.facts`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.driver.delivery import Delivery, choose
from lab.driver.version import driver_of
from lab.gpus.allocation import Policy, Users, users
from lab.gpus.selection import GpuSelection, parse_selection
from lab.gpus.users import instances_with_gpus
from lab.lxd.model import Card, Server
from lab.lxd.port import Lxd
from lab.release import Release, delivery_of_release
from lab.settings.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuFacts:
    cards: tuple[Card, ...] = ()
    users: Users = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    usual: GpuSelection = field(default_factory=GpuSelection)
    """What a new container gets without `--gpus`."""
    driver: str | None = None
    """Version of the kernel module."""
    delivery: Delivery = Delivery.NONE
    """How a new container of the template asked for gets its userland."""


def read_gpus(lxd: Lxd, settings: Settings, server: Server, release: Release | None) -> GpuFacts:
    cards = lxd.cards()
    return GpuFacts(
        cards=cards,
        users=_users(lxd, settings, cards),
        policy=Policy(limit=settings.gpus.limit),
        # Nobody who asks for no card is refused for want of one.
        usual=parse_selection(settings.gpus.default) if cards else GpuSelection(),
        driver=driver_of(cards, local=settings.remote == "local"),
        delivery=delivery_of_release(release, settings, server, cards)
        if release is not None
        else choose(settings, server, cards).delivery,
    )


def _users(lxd: Lxd, settings: Settings, cards: tuple[Card, ...]) -> Mapping[str, tuple[str, ...]]:
    return users(instances_with_gpus(lxd, settings), cards) if cards else {}
