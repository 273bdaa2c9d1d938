"""Which volume a new container has as its home, and what is done with it before. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lab import labels
from lab.errors import InputError
from lab.lxd.idmap import ON_VOLUME, IdRange, read_map
from lab.lxd.model import Volume
from lab.process import in_words
from provision.create.actions import Action, CreateVolume, RemoveCopy, ReuseVolume
from provision.create.capacity import home_size
from provision.create.copy import copying_home, kept_home
from provision.create.facts import Facts
from provision.create.request import Request
from provision.create.time import time_of, time_on_home
from provision.homes import FINISHED, changes, home_marks, is_half_copied, is_unfinished
from provision.keys.given import remembering
from provision.limits import as_limit, bytes_of
from provision.releases import Offer


def home_actions(
    request: Request, offer: Offer, facts: Facts, ids: IdRange, fingerprints: frozenset[str]
) -> list[Action]:
    """FINGERPRINTS: of all keys that were ever asked for with it."""
    home = facts.home
    source = facts.source.home if facts.source else None
    own = {
        **home_marks(request.name, facts.project),
        **remembering(fingerprints),
        # Written on the home before a container has them.
        labels.IDS: str(ids),
    }
    create = _create_home(request, offer, facts, own)
    new = copying_home(create, source) if source is not None else create
    if home is None:
        return [new]
    _refuse_others_home(request, home, facts.project)
    if is_half_copied(home):
        refuse_while_made(request.name, home.config.get(labels.BUILDER, ""), facts)
        return [RemoveCopy(pool=home.pool, name=home.name), new]
    if source is not None:
        raise kept_home(request.name, home)
    marks = {**own, **FINISHED, **time_on_home(request, facts)}
    if is_unfinished(home):
        refuse_while_made(request.name, home.config.get(labels.BUILDER, ""), facts)
        reuse = _use_unused(home, home_size(request, offer), marks)
    else:
        reuse = _reuse_home(request, home, marks)
    return [_telling_the_move(reuse, home, ids)]


def _create_home(
    request: Request, offer: Offer, facts: Facts, marks: Mapping[str, str]
) -> CreateVolume:
    size = home_size(request, offer)
    config = {
        **marks,
        labels.OWNER: request.account,
        labels.PHASE: labels.PREPARING,
        labels.BUILDER: facts.builder,
        **time_of(request, facts),
    }
    if size is not None:
        config["size"] = as_limit(size)
    return CreateVolume(pool=facts.pool.name, name=facts.home_name, config=config, size_bytes=size)


def _refuse_others_home(request: Request, home: Volume, project: str) -> None:
    owner = home.config.get(labels.OWNER)
    others = [user for user in home.used_by if user != request.name]
    others += home.used_elsewhere
    there = home.config.get(labels.PROJECT, project)
    if owner == request.account and not others and there == project:
        return
    whose = "was not made by labstamp" if owner is None else f'belongs to "{owner}"'
    if there != project:
        whose += f" of the project {there}"
    if others:
        whose = f"is used by {', '.join(others)}"
    raise InputError(
        f'The volume "{home.name}" in pool "{home.pool}" {whose}.',
        details="It was not changed.",
        fix="Choose another name for the container, or rename the volume with lxc.",
    )


def _use_unused(home: Volume, size: int | None, marks: Mapping[str, str | None]) -> ReuseVolume:
    """Of the size it would have been made with."""
    config = {**marks, "size": None if size is None else as_limit(size)}
    return ReuseVolume(
        pool=home.pool, name=home.name, config=changes(home.config, config), unused=True
    )


def _reuse_home(request: Request, home: Volume, marks: Mapping[str, str | None]) -> ReuseVolume:
    """As it is, or grown to what is asked for by name; what is in it is never cut."""
    now = bytes_of(home.config.get("size"))
    asked = request.home_bytes
    marked = changes(home.config, marks)
    if asked is None or asked == now:
        return ReuseVolume(pool=home.pool, name=home.name, config=marked)
    if now is None or asked < now:
        raise InputError(
            f'The kept volume "{home.name}" is larger than the --home asked for.',
            fix="Leave --home out to use the volume unchanged.",
        )
    grown = {**marked, "size": as_limit(asked)}
    return ReuseVolume(pool=home.pool, name=home.name, config=grown, size_bytes=asked)


def _telling_the_move(reuse: ReuseVolume, home: Volume, ids: IdRange) -> ReuseVolume:
    """LXD gives all files to the range they are attached with, unless they have it."""
    has = home.config.get(ON_VOLUME)
    return replace(reuse, moved_to=ids if has and read_map(has) != ids else None)


def refuse_while_made(name: str, builder: str, facts: Facts) -> None:
    """InputError unless BUILDER is known to be dead."""
    alive = facts.alive.get(builder)
    if alive is False:
        return
    if alive:
        raise InputError(
            f'The container "{name}" is being provisioned by {in_words(builder)}.',
            fix="Wait until it ends.",
        )
    raise InputError(
        f'The container "{name}" is half made; {in_words(builder)} may still be making it.',
        fix=f"Wait until it ends, or, if that process no longer exists: invoke destroy {name}",
    )
