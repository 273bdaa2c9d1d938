"""From a request and the facts to what is to be done. Pure: reads nothing, changes nothing."""

from __future__ import annotations

from lab import labels
from lab.errors import InputError
from lab.lxd.model import Instance
from lab.names import nearest
from provision.clone.source import Source
from provision.create.actions import (
    Action,
    CreateInstance,
    MarkReady,
    RemoveLeftover,
    SetPassword,
    Start,
)
from provision.create.capacity import check_capacity
from provision.create.copy import check_copy, copying
from provision.create.facts import Facts
from provision.create.finish import finish, is_to_be_finished
from provision.create.gpus import change_of_gpus, share
from provision.create.home import home_actions, refuse_while_made
from provision.create.ids import ids_of
from provision.create.instance import instance_spec, unfiltered
from provision.create.let_in import asked_for, keys_for
from provision.create.request import Request, differences, resize_options, share_commands
from provision.create.time import refuse_other_time
from provision.former import being_upgraded, other_root, read_mark, refuse_while_upgraded
from provision.keys.given import given
from provision.managed import (
    command_that_finishes,
    is_managed,
    is_preparing,
    is_unclean,
)
from provision.moving import refuse_while_moved
from provision.profile import refuse_raw
from provision.releases import Offer, find_offer
from provision.renaming import refuse_while_renamed
from provision.restoring import refuse_half_restored, refuse_while_restored
from provision.shares.plan import shared


def _refuse_other_work(name: str, facts: Facts) -> None:
    """InputError where NAME is somebody else's, or a later work on it is not finished."""
    if facts.leaving is not None:
        raise being_upgraded(name, read_mark(facts.leaving))
    if facts.instance is not None:
        refuse_while_restored(name, [facts.home] if facts.home else [])
        _refuse_foreign(name, facts.instance)
        refuse_while_moved(facts.instance)
        refuse_while_upgraded(facts.instance)
        refuse_while_renamed(facts.instance)


def _of_owner(request: Request, instance: Instance) -> Request:
    """The account of a container that was renamed has its earlier name."""
    if request.own_account and labels.FORMER in instance.config:
        return request.of_account(instance.config[labels.OWNER])
    return request


def plan(request: Request, facts: Facts) -> tuple[Action, ...]:
    """() when REQUEST is fulfilled already; a LabError when it cannot be."""
    offer = find_offer(facts.offers, request.template)
    if offer is not None:
        request = request.of_template(offer.release.template)
    actions: list[Action] = []
    _refuse_other_work(request.name, facts)
    if facts.instance is not None:
        request = _of_owner(request, facts.instance)
        if is_preparing(facts.instance):
            refuse_while_made(request.name, facts.instance.config.get(labels.BUILDER, ""), facts)
            if is_unclean(facts.instance):
                _refuse_finishing(request, facts.instance)
            elif is_to_be_finished(request, facts.instance):
                refuse_other_time(request, facts.instance)
                return finish(request, facts.instance, facts)
            actions.append(RemoveLeftover(name=request.name))
        else:
            _refuse_other(request, facts.instance, facts.source)
            refuse_other_time(request, facts.instance)
            _refuse_differing(request, facts.instance)
            return change_of_gpus(request, facts.instance, facts)
    elif facts.home is not None:
        refuse_half_restored(request.name, facts.home)
    if facts.namesake is not None:
        raise _one_name(request, facts.namesake)
    if offer is None:
        raise _no_release(request, facts.offers, facts.unreadable)
    if facts.sharings:
        request = request.with_shares(tuple(one.name for one in facts.sharings))
    refuse_raw(facts.profile)
    _refuse_taken(request, offer)
    check_capacity(request, offer, facts)
    if facts.source is not None:
        check_copy(request, offer, facts.source)
    gpus = share(request, offer, facts)
    known = given(facts.home, facts.instance)
    ids = ids_of(request, facts)
    actions += home_actions(request, offer, facts, ids, known | asked_for(request))
    create = CreateInstance(
        spec=instance_spec(request, offer, facts, gpus, ids),
        release=f"{offer.release.template} {offer.release.version}",
        gpus=gpus.gpus,
        unfiltered=unfiltered(facts),
        ids=ids,
    )
    actions += [
        *(copying(create, request, facts.source) if facts.source else (create,)),
        keys_for(request.name, request.account, request.keys, known),
        *shared(request.name, facts.sharings, ids),
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
        mark = read_mark(instance)
        if mark is not None:
            raise other_root(instance, mark)
        raise InputError(
            f'The name "{name}" is taken by an instance that labstamp did not make.',
            details="It was not changed.",
            fix="Choose another name; lxc list shows which are taken.",
        )


def _refuse_finishing(request: Request, instance: Instance) -> None:
    """A copy that is not clean yet is made again, or another container in its place."""
    if request.only_name or request.only_gpus:
        raise InputError(
            f'The container "{request.name}" is a copy that is only half made.',
            fix=f"Finish it: {command_that_finishes(instance)}\n"
            f"or remove it: invoke destroy {request.name}",
        )


def _refuse_other(request: Request, instance: Instance, source: Source | None) -> None:
    if source is not None and instance.config.get(labels.CLONE) != source.name:
        raise InputError(
            f'The container "{request.name}" exists, and is not a copy of {source.name}.',
            fix="Choose another name; invoke list shows which are taken.",
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
    commands = share_commands(request.name, kept, asked)
    if commands:
        ways.append(f"Change the shares: {' && '.join(commands)}")
    others = [line for line in differing if not line.startswith("share: ")]
    if len(options) < len(others):
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
