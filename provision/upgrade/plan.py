"""Which containers get a new root, which return to the kept one, and what prevents it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from lab import labels
from lab.dpkg import Versions
from lab.errors import InputError, LabError
from lab.lxd.devices import root_of
from lab.lxd.idmap import is_privileged
from lab.lxd.model import Instance, State
from lab.sizes import format_size
from provision.create.actions import GiveKeys
from provision.create.let_in import keys_for
from provision.former import UpgradeMark, is_kept_root, read_mark, unfinished
from provision.ids.marker import read_mark as read_move
from provision.isolation import plan as isolation
from provision.keys.given import given, keys_in
from provision.keys.public_key import BadKey, PublicKey, parse_key
from provision.managed import is_preparing
from provision.moving import move_mark
from provision.other_run import in_other_hands
from provision.releases import Offer, find_offer
from provision.upgrade.actions import Action, Back, Forget, Leave, Reinstall, Resume, Upgrade
from provision.upgrade.added import Inside, added_packages
from provision.upgrade.facts import Facts
from provision.upgrade.root import handed_back, next_root

_MIN_FREE = 512 << 20
"""A pool with less than this left is full: one first boot writes about as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """TO: a version; None for the current one of each container's template."""

    to: str | None = None
    back: bool = False
    forget: bool = False
    only_expired: bool = False
    """Of what is to be forgotten."""
    reinstall: bool = False


def plan_one(name: str, facts: Facts, wish: Wish) -> tuple[Action, ...]:
    """() where all is so already; a Leave where it cannot be."""
    leaving = unfinished(facts.stores.instances, name)
    if leaving is not None:
        return (_resume(name, leaving),)
    instance = facts.instance(name)
    if instance is None:
        return ()
    obstacle = next(_obstacles(instance), None)
    if obstacle is not None:
        return (obstacle,)
    kept = _kept_root(instance, facts)
    if wish.forget:
        expired = kept is not None and _is_expired(kept, facts)
        wanted = kept is not None and (expired or not wish.only_expired)
        return (_forget(instance, kept, facts, expired=expired),) if kept and wanted else ()
    if wish.back:
        return (_back(instance, kept, facts),)
    return tuple(_upgrade(instance, kept, facts, wish))


def _resume(name: str, leaving: Instance) -> Action:
    mark = read_mark(leaving)
    assert mark is not None  # noqa: S101 - `unfinished` has read it
    if mark.alive is False:
        return Resume(name=name, leaving=leaving.name, mark=mark)
    reason, fix = in_other_hands(
        mark, "upgrading", once_over="run on that machine", fix=f"invoke upgrade {name}"
    )
    return Leave(name=name, reason=reason, fix=fix)


def _obstacles(instance: Instance) -> Iterator[Leave]:
    name, config = instance.name, instance.config
    move = move_mark(instance)
    if move is not None:
        is_over = "was" if move.is_moved else "is being"
        yield Leave(name=name, reason=f"it {is_over} moved to {move.remote}")
    if is_preparing(instance):
        yield Leave(name=name, reason="it is only half made; first", fix=f"invoke provision {name}")
    if config.get(labels.SYNC):
        fix = f"invoke sync-drivers {name}"
        yield Leave(name=name, reason="its driver is being changed; first", fix=fix)
    if instance.state not in {State.RUNNING, State.STOPPED}:
        reason = f"it is {instance.state.value}, neither running nor stopped"
        yield Leave(name=name, reason=reason)
    if is_privileged(instance):
        yield Leave(name=name, reason="it is privileged: its root user is root of the server, too")


def _upgrade(
    instance: Instance, kept: Instance | None, facts: Facts, wish: Wish
) -> Iterator[Action]:
    name, template = instance.name, instance.config.get(labels.TEMPLATE, "")
    offer = _offer(template, facts, wish.to)
    if offer is None:
        what = f"no release {wish.to}" if wish.to else "no release for users"
        yield Leave(name=name, reason=f'its template "{template}" has {what}', fix="invoke images")
        return
    version = instance.config.get(labels.VERSION, "")
    if offer.release.version == version:
        missing = _missing(instance, kept, facts) if wish.reinstall else ()
        if missing and instance.state is State.STOPPED:
            reason = "packages can be installed only while it runs; first"
            yield Leave(name=name, reason=reason, fix=f"invoke start {name}")
            return
        if missing:
            yield Reinstall(name=name, packages=missing)
            return
        if kept is not None and _is_expired(kept, facts):
            yield _forget(instance, kept, facts, expired=True)
        return
    if kept is not None:
        if not _is_expired(kept, facts):
            yield Leave(
                name=name,
                reason=f"its earlier root is still kept ({kept.name}); to remove it",
                fix=f"invoke upgrade {name} --forget",
            )
            return
        yield _forget(instance, kept, facts, expired=True)
    yield _new_root(instance, offer, facts, wish)


def _missing(instance: Instance, kept: Instance | None, facts: Facts) -> tuple[str, ...]:
    """What the kept root's user added, and the present root does not have."""
    if kept is None:
        return ()
    now = facts.inside.get(instance.name, Inside()).installed or {}
    return _added(kept, facts, _release_of(instance), now) or ()


def _added(
    instance: Instance, facts: Facts, release: tuple[str, str], now: Versions
) -> tuple[str, ...] | None:
    """What its user added to INSTANCE, and neither RELEASE nor NOW has."""
    before = facts.packages(*_release_of(instance))
    inside = facts.inside.get(instance.name, Inside())
    return added_packages(inside, before, facts.packages(*release), now)


def _new_root(instance: Instance, offer: Offer, facts: Facts, wish: Wish) -> Action:
    name, account = instance.name, instance.config[labels.OWNER]
    release = offer.release
    full = _full_pool(instance, facts)
    if full is not None:
        return Leave(name=name, reason=full)
    move = isolation.plan_one(facts.ids, instance)
    if isinstance(move, isolation.Leave):
        return Leave(name=name, reason=move.reason, fix=move.fix)
    names = (_free_name(f"{name}-next", facts), _free_name(f"{name}-kept", facts))
    try:
        keys = _keys(instance)
        made = next_root(instance, offer, facts, keys=keys, names=names)
    except (LabError, BadKey) as error:
        return Leave(name=name, reason=_reason(error))
    return Upgrade(
        name=name,
        account=account,
        before=_called(instance),
        release=f"{release.template} {release.version}",
        spec=made.spec,
        handed=made.handed,
        kept=names[1],
        keys=_give(instance, account, keys, facts),
        rdp=release.needs.ports.get("rdp"),
        asleep=instance.state is State.STOPPED,
        snapshots=facts.snapshots.get(name, ()),
        move=move,
        keep_days=facts.settings.upgrade.keep_days,
        packages=_added(instance, facts, (release.template, release.version), {}),
        files=facts.inside.get(name, Inside()).files,
        reinstall=wish.reinstall,
        to=wish.to,
    )


def _back(instance: Instance, kept: Instance | None, facts: Facts) -> Action:
    if kept is None:
        return Leave(name=instance.name, reason="it has no kept root to return to")
    if read_move(instance.config.get(labels.ISOLATE)) is not None:
        fix = f"invoke isolate {instance.name}"
        return Leave(name=instance.name, reason="it is being moved to other ids; first", fix=fix)
    return Back(
        name=instance.name,
        kept=_free_name(f"{instance.name}-kept", facts),
        before=_called(instance),
        release=_called(kept),
        next=kept.name,
        handed=handed_back(instance, kept),
        asleep=instance.state is State.STOPPED,
    )


def _forget(instance: Instance, kept: Instance, facts: Facts, *, expired: bool) -> Forget:
    return Forget(
        name=instance.name, kept=kept.name, size=facts.sizes.get(kept.name), expired=expired
    )


def _offer(template: str, facts: Facts, version: str | None) -> Offer | None:
    if version is not None:
        return facts.release(template, version)
    found = find_offer(facts.current, template)
    if found is None or found.release.template != template:
        return None
    return facts.release(template, found.release.version) or found


def _keys(instance: Instance) -> tuple[PublicKey, ...]:
    return tuple(map(parse_key, instance.config.get(labels.AUTHORIZED, "").splitlines()))


def _give(
    instance: Instance, account: str, keys: tuple[PublicKey, ...], facts: Facts
) -> GiveKeys | None:
    if not keys and keys_in(instance.config.get(labels.REQUEST, "")):
        # An earlier version made it: they are in its home, and none of them is revoked.
        return None
    return keys_for(instance.name, account, keys, given(facts.home(instance.name), instance))


def _kept_root(instance: Instance, facts: Facts) -> Instance | None:
    found = facts.instance(instance.config.get(labels.KEPT_ROOT, ""))
    return found if found is not None and is_kept_root(found) else None


def _is_expired(kept: Instance, facts: Facts) -> bool:
    mark = read_mark(kept)
    since = _moment(mark)
    return since is not None and facts.now - since > timedelta(
        days=facts.settings.upgrade.keep_days
    )


def _moment(mark: UpgradeMark | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(mark.since) if mark else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def _full_pool(instance: Instance, facts: Facts) -> str | None:
    root = root_of(instance.expanded_devices)
    pool = facts.pools.get(root[1].get("pool", "")) if root else None
    if pool is None or pool.free_bytes is None or pool.free_bytes >= _MIN_FREE:
        return None
    return f'the pool "{pool.name}" is full: {format_size(pool.free_bytes)} are left'


def _free_name(wanted: str, facts: Facts) -> str:
    """Nobody's as yet; instances' names have 63 letters at most."""
    taken = {one.name.lower() for one in facts.stores.instances}
    head, _, tail = wanted.rpartition("-")
    for number in range(1, 1000):
        end = f"-{tail}" if number == 1 else f"-{tail}-{number}"
        found = head[: 63 - len(end)].rstrip("-") + end
        if found.lower() not in taken:
            return found
    raise InputError(f"There is no free name for another root of {head}.")


def _release_of(instance: Instance) -> tuple[str, str]:
    config = instance.config
    return config.get(labels.TEMPLATE, ""), config.get(labels.VERSION, "")


def _called(instance: Instance) -> str:
    template = instance.config.get(labels.TEMPLATE, "?")
    return f"{template} {instance.config.get(labels.VERSION, '?')}"


def _reason(error: Exception) -> str:
    return error.brief.rstrip(".") if isinstance(error, LabError) else str(error)
