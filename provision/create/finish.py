"""Continue a container whose provisioning was interrupted, instead of making it again. Pure."""

from __future__ import annotations

from lab import labels
from lab.errors import InputError
from lab.lxd.idmap import own_range
from lab.lxd.model import Instance
from provision.create.actions import Action, MarkReady, ReuseVolume, SetPassword, Start, TakeOver
from provision.create.closed import is_closed
from provision.create.facts import Facts
from provision.create.gpus import change_of_gpus
from provision.create.let_in import keys_for
from provision.create.request import Request, differences, wanted_password
from provision.homes import FINISHED, changes, home_marks, is_unfinished
from provision.keys.given import given, keys_in
from provision.keys.public_key import BadKey, PublicKey, parse_key
from provision.needs import needs_of
from provision.shares.plan import shared


def is_to_be_finished(request: Request, instance: Instance) -> bool:
    """False if it may be made again: the request differs, and nobody was able to log in yet.

    InputError if the request differs and somebody may have logged in.
    """
    if request.only_name or request.only_gpus:
        return True
    differing = differences(instance.config.get(labels.REQUEST, ""), request.canonical())
    if not differing:
        return True
    if is_closed(instance):
        return False
    raise InputError(
        f'The container "{request.name}" is half made, and was requested with other options.',
        details="\n".join(differing),
        fix=f"Finish it with its first options: invoke provision {request.name}\n"
        f"or remove it (/home is kept): invoke destroy {request.name}",
    )


def finish(request: Request, instance: Instance, facts: Facts) -> tuple[Action, ...]:
    """From wherever it was cut off: what is done already costs a look each."""
    name, account = instance.name, instance.config[labels.OWNER]
    actions: list[Action] = [TakeOver(name=name, builder=facts.builder)]
    if facts.home is not None and is_unfinished(facts.home):
        marks = {**home_marks(name, facts.project), **FINISHED}
        config = changes(facts.home.config, marks)
        actions.append(
            ReuseVolume(pool=facts.home.pool, name=facts.home.name, config=config, unused=True)
        )
    keys = _kept_keys(instance)
    if keys or not keys_in(instance.config.get(labels.REQUEST, "")):
        # Else an earlier version made it, and its first boot writes them.
        actions.append(keys_for(name, account, keys, given(facts.home, instance)))
    actions += change_of_gpus(request, instance, facts)
    ids = own_range(instance)
    actions += shared(name, facts.half_shared, ids) if ids is not None else ()
    actions.append(Start(name=name, account=account, rdp=needs_of(instance).ports.get("rdp")))
    if wanted_password(instance.config.get(labels.REQUEST, "")):
        actions.append(SetPassword(name=name, account=account))
    actions.append(MarkReady(name=name, account=account))
    return tuple(actions)


def _kept_keys(instance: Instance) -> tuple[PublicKey, ...]:
    """Those that INSTANCE was asked for with; InputError where somebody has changed them."""
    lines = instance.config.get(labels.AUTHORIZED, "").splitlines()
    try:
        return tuple(map(parse_key, lines))
    except BadKey as problem:
        raise InputError(
            f'The ssh keys kept with the half made container "{instance.name}" cannot be used.',
            details=f"{labels.AUTHORIZED}: {problem}",
            fix=f"Remove it (/home is kept): invoke destroy {instance.name}\n"
            "Then make it again, with --key.",
        ) from problem
