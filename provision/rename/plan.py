"""Whether a container can have another name, and what that takes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from lab import labels
from lab.errors import InputError
from lab.lxd.model import Instance, State
from lab.names import check_instance_name, quote
from lab.process import in_words
from provision.former import is_kept_root
from provision.homes import Stores, home_place
from provision.managed import is_managed
from provision.renaming import RenameMarker, rename_mark

CLOUD_ID = "volatile.cloud-init.instance-id"
"""By which cloud-init knows whether it has been here before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    stores: Stores
    me: str
    """This process, as `user.lab.builder`."""

    def instance(self, name: str) -> Instance | None:
        return next((one for one in self.stores.instances if one.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rename:
    """From OLD to NEW, from wherever it is."""

    old: str
    new: str
    mark: RenameMarker
    account: str
    is_renamed: bool = False
    """LXD knows it by its new name already."""
    home: tuple[str, str] | None = None
    """Pool and volume."""

    @property
    def steps(self) -> tuple[str, ...]:
        """For --plan, a line each."""
        mark = self.mark
        steps = [f"stop {self.old}"] if mark.ran and not self.is_renamed else []
        if not self.is_renamed:
            steps.append(f"rename the container {self.old} to {self.new}")
        if self.home is not None:
            pool, volume = self.home
            steps.append(f"mark the volume {volume} in pool {pool} as the home of {self.new}")
            if mark.volume not in {None, volume}:
                steps.append(f"rename that volume to {mark.volume}")
        steps.append(f"change its host name from {self.old} to {self.new}")
        if mark.ran:
            steps.append(f"start {self.new} and wait until ssh answers")
        steps.append(
            f"keep the account {self.account}, its files, ids, keys, host keys, MAC address and "
            "limits"
        )
        return tuple(steps)


def plan(old: str, new: str, facts: Facts) -> Rename | None:
    """None where it is done already; InputError where it cannot be.

    The container has no other work on it: `provision.whole`.
    """
    check_instance_name(new)
    there, taken = facts.instance(old), facts.instance(new)
    if there is None:
        return _after(old, new, taken, facts)
    _refuse_kept_root(there, facts)
    _refuse_taken(old, new, facts)
    earlier = _leftover(there)
    home = home_place(there)
    return Rename(
        old=old,
        new=new,
        mark=RenameMarker(
            builder=facts.me,
            old=old,
            new=new,
            ran=earlier.ran if earlier else there.state is not State.STOPPED,
            cloud_id=there.config.get(CLOUD_ID, old),
            volume=_new_volume(old, new, there, facts.stores),
            held=earlier is not None and earlier.held,
        ),
        account=there.config[labels.OWNER],
        home=home,
    )


def _after(old: str, new: str, taken: Instance | None, facts: Facts) -> Rename | None:
    """OLD is not there: it may have the name NEW by now."""
    mark = rename_mark(taken)
    if taken is not None and mark is not None and (mark.old, mark.new) == (old, new):
        _leftover(taken)
        return Rename(
            old=old,
            new=new,
            mark=mark.by(facts.me),
            account=taken.config[labels.OWNER],
            is_renamed=True,
            home=home_place(taken),
        )
    if taken is not None and taken.config.get(labels.FORMER) == old:
        return None
    raise InputError(f"There is no container {quote(old)}.", fix="List the containers: invoke list")


def _leftover(instance: Instance) -> RenameMarker | None:
    """What a run wrote that was cut off; InputError where it may still go on."""
    mark = rename_mark(instance)
    if mark is None or mark.alive is False:
        return mark
    who = in_words(mark.builder)
    if mark.alive:
        raise InputError(
            f"{who} is renaming {instance.name} now.",
            fix="Wait until it ends, or end that run with Ctrl-C.",
        )
    raise InputError(
        f"{who} may still be renaming {instance.name}.",
        fix="Wait until it ends. If that process no longer exists, run on that machine: "
        f"{mark.command}",
    )


def _refuse_kept_root(there: Instance, facts: Facts) -> None:
    """The way back of an upgrade leads to a root that is called, and marked, after the old name."""
    kept = facts.instance(there.config.get(labels.KEPT_ROOT, ""))
    if kept is not None and is_kept_root(kept):
        raise InputError(
            f"{there.name} has a kept root of its last upgrade: {kept.name}.",
            details=f"{there.name} was not renamed.",
            fix=f"Remove that root: invoke upgrade {there.name} --forget\n"
            f"or return to it: invoke upgrade {there.name} --back",
        )


def _refuse_taken(old: str, new: str, facts: Facts) -> None:
    if old == new:
        raise InputError(f'The container "{old}" has that name.', fix="Choose another name.")
    for one in facts.stores.instances:
        if one.name == new:
            whose = "a container" if is_managed(one) else "an instance that labstamp did not make"
            raise InputError(
                f'The name "{new}" is taken by {whose}.',
                details=f"{old} was not renamed.",
                fix="Choose another name; lxc list shows which are taken.",
            )
        if one.name.lower() == new.lower():
            raise InputError(
                f'The names "{new}" and "{one.name}" differ in upper and lower case only.',
                details="For LXD and DNS they are the same name.",
                fix="Choose another name.",
            )
    kept = facts.stores.homes(new)
    if kept:
        raise InputError(
            f'There is a kept home of an earlier container "{new}": '
            + ", ".join(f"{one.name} in pool {one.pool}" for one in kept)
            + ".",
            details=f"{old} was not renamed: it has a home of its own.",
            fix=f"Choose another name, or remove that home: invoke destroy {new} --purge",
        )


def _new_volume(old: str, new: str, instance: Instance, stores: Stores) -> str | None:
    """None where its home is not named after it, or others have it attached, too."""
    place = home_place(instance)
    home = next((one for one in stores.volumes if (one.pool, one.name) == place), None)
    if home is None or labels.OWNER not in home.config:
        return None
    if set(home.used_by) > {old} or home.used_elsewhere:
        return None
    return stores.unused_name(new, home.pool, but=home.name)
