"""From a request and the facts to what is to be done. Pure: reads nothing, changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lab import labels
from lab.errors import InputError
from lab.lxd.idmap import ON_VOLUME, IdRange, read_map
from lab.lxd.model import Instance, Volume
from lab.names import nearest
from lab.process import in_words
from provision.create.actions import (
    Action,
    CreateInstance,
    CreateVolume,
    MarkReady,
    RemoveLeftover,
    ReuseVolume,
    SetPassword,
    Start,
)
from provision.create.capacity import check_capacity, home_size
from provision.create.facts import Facts
from provision.create.finish import finish, is_to_be_finished
from provision.create.gpus import change_of_gpus, share
from provision.create.ids import ids_of
from provision.create.instance import instance_spec, unfiltered
from provision.create.let_in import asked_for, keys_for
from provision.create.request import Request, differences, resize_options
from provision.homes import FINISHED, changes, home_marks, is_unfinished
from provision.keys.given import given, remembering
from provision.limits import as_limit, bytes_of
from provision.managed import is_managed, is_preparing
from provision.profile import refuse_raw
from provision.releases import Offer, find_offer
from provision.restoring import refuse_half_restored, refuse_while_restored


def plan(request: Request, facts: Facts) -> tuple[Action, ...]:
    """() when REQUEST is fulfilled already; a LabError when it cannot be."""
    offer = find_offer(facts.offers, request.template)
    if offer is not None:
        request = request.of_template(offer.release.template)
    actions: list[Action] = []
    if facts.instance is not None:
        refuse_while_restored(request.name, [facts.home] if facts.home else [])
        _refuse_foreign(request.name, facts.instance)
        if is_preparing(facts.instance):
            _refuse_while_made(request.name, facts.instance.config.get(labels.BUILDER, ""), facts)
            if is_to_be_finished(request, facts.instance):
                return finish(request, facts.instance, facts)
            actions.append(RemoveLeftover(name=request.name))
        else:
            _refuse_differing(request, facts.instance)
            return change_of_gpus(request, facts.instance, facts)
    elif facts.home is not None:
        refuse_half_restored(request.name, facts.home)
    if facts.namesake is not None:
        raise _one_name(request, facts.namesake)
    if offer is None:
        raise _no_release(request, facts.offers, facts.unreadable)
    refuse_raw(facts.profile)
    _refuse_taken(request, offer)
    check_capacity(request, offer, facts)
    gpus = share(request, offer, facts)
    known = given(facts.home, facts.instance)
    ids = ids_of(request, facts)
    actions += _home_actions(request, offer, facts, ids, known | asked_for(request))
    actions += [
        CreateInstance(
            spec=instance_spec(request, offer, facts, gpus, ids),
            release=f"{offer.release.template} {offer.release.version}",
            gpus=gpus.gpus,
            unfiltered=unfiltered(facts),
            ids=ids,
        ),
        keys_for(request.name, request.account, request.keys, known),
        Start(
            name=request.name,
            account=request.account,
            rdp=offer.release.needs.ports.get("rdp"),
        ),
    ]
    if request.wants_password:
        actions.append(SetPassword(name=request.name, account=request.account))
    actions.append(MarkReady(name=request.name, account=request.account))
    return tuple(actions)


def _refuse_foreign(name: str, instance: Instance) -> None:
    if not is_managed(instance):
        raise InputError(
            f'The name "{name}" is taken by an instance that labstamp did not make.',
            details="It was not changed.",
            fix="Choose another name; lxc list shows which are taken.",
        )


def _refuse_differing(request: Request, instance: Instance) -> None:
    """The GPUs are no part of it."""
    if request.only_gpus:
        return
    kept, asked = instance.config.get(labels.REQUEST, ""), request.canonical()
    differing = differences(kept, asked)
    if not differing:
        return
    options = resize_options(kept, asked)
    ways = (
        [f"Change the sizes: invoke resize {request.name} {' '.join(options)}"] if options else []
    )
    if len(options) < len(differing):
        ways.append(
            "Repeat the command with the current options, choose another name, or make the\n"
            f"container again (/home is kept): invoke destroy {request.name}, then this command."
        )
    raise InputError(
        f'The container "{request.name}" exists, and was requested with other options.',
        details="\n".join(differing),
        fix="\n".join(ways),
    )


def _one_name(request: Request, namesake: str) -> InputError:
    return InputError(
        f'The names "{request.name}" and "{namesake}" differ in upper and lower case only.',
        details="For LXD and DNS they are the same name.",
        fix=f'Choose another name, or type "{namesake}" if you mean that container.',
    )


def _refuse_taken(request: Request, offer: Offer) -> None:
    """Told here, and not by groupadd after the boot."""
    if request.account in offer.accounts:
        release = offer.release
        raise InputError(
            f'"{request.account}" cannot be an account in {release.template} {release.version}.',
            details="The image has an account or a group of that name.",
            fix=f"Name the account: --account ACCOUNT (the container stays {request.name}).",
        )


def _refuse_while_made(name: str, builder: str, facts: Facts) -> None:
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


def _home_actions(
    request: Request, offer: Offer, facts: Facts, ids: IdRange, fingerprints: frozenset[str]
) -> list[Action]:
    """FINGERPRINTS: of all keys that were ever asked for with it."""
    home = facts.home
    own = {
        **home_marks(request.name, facts.project),
        **remembering(fingerprints),
        # Written on the home before a container has them.
        labels.IDS: str(ids),
    }
    if home is None:
        return [_create_home(request, offer, facts, own)]
    _refuse_others_home(request, home, facts.project)
    marks = {**own, **FINISHED}
    if is_unfinished(home):
        _refuse_while_made(request.name, home.config.get(labels.BUILDER, ""), facts)
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


def _no_release(
    request: Request, offers: tuple[Offer, ...], unreadable: tuple[str, ...]
) -> InputError:
    words = {offer.release.template for offer in offers} | {offer.release.short for offer in offers}
    close = nearest(request.template, words)
    there = ", ".join(
        offer.release.template
        if offer.release.short == offer.release.template
        else f"{offer.release.template} ({offer.release.short})"
        for offer in offers
    )
    children = [offer.release for offer in offers if offer.release.parent == request.template]
    if children:
        fix = (
            f"Use a template that is based on it: {', '.join(one.short for one in children)}. "
            f"Then: invoke provision {request.name} --template {children[0].short}"
        )
    elif close:
        fix = f'Did you mean "{close}"? Then: invoke provision {request.name} --template {close}'
    else:
        fix = "Build it, if it is defined but has no release yet: invoke build-images"
    return InputError(
        f'There is no release of a template "{request.template}".',
        details="\n".join([f"Templates with a release: {there or 'none yet'}", *unreadable]),
        fix=fix,
    )
