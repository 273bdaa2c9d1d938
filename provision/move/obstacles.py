"""What keeps a container from going to the other server. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lab import labels
from lab.driver.delivery import Delivery
from lab.lxd.idmap import is_privileged
from lab.lxd.model import Instance, State
from lab.sizes import format_size
from provision.move.facts import Facts, gpus_wanted
from provision.moving import arrival_mark, move_mark
from provision.releases import find_offer

NEEDED: Final = (
    "container_incremental_copy",
    "custom_volume_refresh",
    "storage_api_remote_volume_handling",
    "storage_api_volume_snapshots",
)
_SPARE: Final = 512 << 20
"""For the first boot there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    reason: str
    fix: str = ""
    capacity: bool = False

    def __str__(self) -> str:
        return f"{self.reason}{f': {self.fix}' if self.fix else ''}"


def obstacles(facts: Facts) -> Iterator[Obstacle]:
    yield from _in_the_container(facts.here.instance)
    yield from _in_the_server(facts)
    yield from _of_the_name(facts)
    yield from _of_the_driver(facts)
    yield from _of_the_pool(facts)


def _in_the_container(instance: Instance) -> Iterator[Obstacle]:
    name, config = instance.name, instance.config
    if instance.state not in {State.RUNNING, State.STOPPED}:
        yield Obstacle(reason=f"it is {instance.state.value}, neither running nor stopped")
    if is_privileged(instance):
        yield Obstacle(reason="it is privileged: its root user is root of the server, too")
    if config.get(labels.SYNC):
        yield Obstacle(
            reason="its driver is being changed; first", fix=f"invoke sync-drivers {name}"
        )
    if config.get(labels.KEPT_ROOT):
        yield Obstacle(
            reason="it has a kept root, which would stay here; first",
            fix=f"invoke upgrade {name} --forget",
        )


def _in_the_server(facts: Facts) -> Iterator[Obstacle]:
    there = facts.there
    if there.server.certificate and there.server.certificate == facts.here.server.certificate:
        yield Obstacle(reason=f"{facts.remote} is the server that it is on")
    for side, server in (("here", facts.here.server), ("there", there.server)):
        missing = [one for one in NEEDED if not server.has(one)]
        if missing:
            yield Obstacle(
                reason=f"the LXD {side} ({server.version}) cannot do it: it lacks "
                f"{', '.join(missing)}"
            )
    for profile in facts.here.instance.profiles:
        if profile not in there.profiles:
            yield Obstacle(reason=f"there is no profile {profile} there")


def _of_the_name(facts: Facts) -> Iterator[Obstacle]:
    name, there = facts.here.instance.name, facts.there
    taken = there.instance(name)
    if taken is not None and not _is_leftover(facts, taken):
        if (kept := move_mark(taken)) is not None and kept.is_moved:
            yield Obstacle(
                reason="what is kept of an earlier move has its name there; on that server",
                fix=f"invoke move {name} --forget",
            )
        else:
            yield Obstacle(reason=f"there is an instance {name} there")
    if taken is None:
        namesakes = [one.name for one in there.stores.instances if one.name.lower() == name.lower()]
        for other in namesakes:
            yield Obstacle(
                reason=f"there is an instance {other} there, which is the same name for LXD"
            )
        for home in there.stores.homes(name):
            if arrival_mark(home) is None:
                yield Obstacle(
                    reason=f"there is a kept home of an earlier container {name} there: "
                    f"{home.name} in pool {home.pool}; on that server",
                    fix=f"invoke destroy {name} --purge",
                )


def _is_leftover(facts: Facts, taken: Instance) -> bool:
    """What an interrupted move of this very container left there, and nobody has used."""
    arrival, mark = arrival_mark(taken), facts.here.mark
    if arrival is None or arrival.server != facts.here.server.certificate:
        return False
    return taken.last_used_at is None or (mark is not None and mark.id == arrival.id)


def _is_copied(facts: Facts) -> bool:
    """Whether its bytes are there, all but those that have changed since."""
    arrival = arrival_mark(facts.there.instance(facts.here.instance.name))
    return arrival is not None and arrival.whole


def _of_the_driver(facts: Facts) -> Iterator[Obstacle]:
    if driver_fits(facts) or offer_there(facts):
        return
    driver = facts.here.instance.config.get(labels.DRIVER) or "none"
    yield Obstacle(
        reason=f"it has NVIDIA's userland {driver}, the host there has "
        f"{facts.there.host.driver}, and there is no release of its template there to take "
        "another from; on that server",
        fix="invoke build-images",
    )


def driver_fits(facts: Facts) -> bool:
    instance = facts.here.instance
    wanted = gpus_wanted(instance) > 0
    driver = instance.config.get(labels.DRIVER)
    return not wanted or facts.there.host.fits(driver, delivery_there(facts), with_gpus=True)


def offer_there(facts: Facts) -> bool:
    template = facts.here.instance.config.get(labels.TEMPLATE, "")
    return find_offer(facts.there.offers, template) is not None


def delivery_there(facts: Facts) -> Delivery:
    """What is inside already counts first: nothing is injected over it."""
    if facts.here.instance.config.get(labels.DRIVER):
        return Delivery.IMAGE
    return facts.there.host.chosen().delivery


def _of_the_pool(facts: Facts) -> Iterator[Obstacle]:
    if _is_copied(facts):
        return
    size, pool = size_of(facts), facts.there.pool
    if size is not None and pool.free_bytes is not None and pool.free_bytes < size + _SPARE:
        yield Obstacle(
            reason=f"its files are {format_size(size)}, and the pool {pool.name} there has "
            f"{format_size(pool.free_bytes)} left",
            capacity=True,
        )


def size_of(facts: Facts) -> int | None:
    here = facts.here
    if here.root_used is None or here.home_used is None:
        return None
    return here.root_used + here.home_used + here.snapshots_used
