"""Whether a GPU was given twice: by an admin on another machine, whom no file lock stops. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lab.errors import CapacityError
from lab.gpus.allocation import Policy, users
from lab.lxd.model import Gpu, Grant, Instance
from provision.create.actions import Action, ChangeGpus, CreateInstance
from provision.create.gpu_facts import GpuFacts


def refuse_second(
    actions: Sequence[Action], instances: Sequence[Instance], facts: GpuFacts
) -> None:
    """CapacityError where what ACTIONS gave has too many users now, and ours came last.

    INSTANCES are those read after it was given. Of new containers the later one, by the server's
    clock, gives way. A container that was there before its GPU tells nothing of when it got it,
    and always does.
    """
    for action in actions:
        match action:
            case CreateInstance(spec=spec, gpus=gpus):
                _check(spec.name, gpus, instances, facts.host.gpus, facts.policy, new=True)
            case ChangeGpus(name=name, added=gpus):
                _check(name, gpus, instances, facts.host.gpus, facts.policy, new=False)
            case _:
                pass


def _check(
    name: str,
    added: Sequence[Grant],
    instances: Sequence[Instance],
    gpus: Sequence[Gpu],
    policy: Policy,
    *,
    new: bool,
) -> None:
    now = users(instances, gpus)
    made = {instance.name: instance.created_at for instance in instances}
    for key in (grant.label for grant in added):
        order = sorted(now.get(key, ()), key=lambda user: (made[user], user))
        first = order[: policy.limit]
        if len(order) == len(first) or (new and name in first):
            continue
        others = ", ".join(user for user in order if user != name)
        raise CapacityError(
            f"{key} was given to another container at the same moment, from another machine.",
            details=f"{others} has it now.",
            fix="Try again, and list the GPUs and their users: invoke host.gpus",
        )
