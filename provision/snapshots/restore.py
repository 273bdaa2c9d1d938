"""`restore`: files come back from a snapshot; what the container is to be stays today's.

LXD replaces config and devices of the instance with those of the snapshot. So today's are kept on
the home's volume first, and put back before anything may start the container. A run that is killed
is gone on with by the same command: until the wish is put back all of it is done again, from then
on nothing but the start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lab import labels
from lab.errors import InputError, LabError, LxdError
from lab.instances.ssh_keys import give_keys
from lab.lxd.model import Instance, Snapshot, Volume
from lab.lxd.port import Lxd
from lab.process import me
from lab.report import Report
from lab.settings.settings import Settings
from provision.create.ready import SshProbe, Timeouts, probe_ssh, wait_until_up
from provision.half_taken import AUTOSTART, finish_half_taken
from provision.keys.given import given, keys_in
from provision.keys.public_key import BadKey, parse_key
from provision.managed import container_lock, managed_container
from provision.name_inside import tell_name
from provision.restoring import Half, Journal, Step, Wish
from provision.snapshots.facts import read
from provision.snapshots.files import clear
from provision.snapshots.plan import Facts, Finish, Restore, plan
from provision.snapshots.wish import IDENTITY, changes_to, wish_of
from provision.starting import refuse_unstartable, start_up

_AS_LONG_AS_IT_TAKES = 6 * 3600.0
"""For what LXD still does for a run that was killed: a pool without copy-on-write copies all."""


def plan_restore(
    lxd: Lxd, name: str, snapshot: str, *, halves: Sequence[Half] = ()
) -> Restore | Finish:
    """What `restore` would do first. Changes nothing. HALVES: () for the whole pair."""
    return plan(snapshot, halves, read(lxd, name))


def restore(
    lxd: Lxd,
    settings: Settings,
    name: str,
    snapshot: str,
    report: Report,
    *,
    halves: Sequence[Half] = (),
    timeouts: Timeouts | None = None,
    probe_ssh: Callable[[str], SshProbe] = probe_ssh,
) -> None:
    """The files of SNAPSHOT, and running if it was, with ssh answering."""
    waits = timeouts or Timeouts()
    with container_lock(settings, name, report, f"restore {name}"):
        began = waits.clock()
        facts = read(lxd, name)
        action = plan(snapshot, halves, facts)
        if isinstance(action, Finish) and not action.was_meant:
            _finish(lxd, facts.home, action.journal, name, report)
            facts = read(lxd, name)
            action = plan(snapshot, halves, facts)
        done = (
            action.journal if isinstance(action, Finish) else _restored(lxd, action, facts, report)
        )
        _finish(lxd, facts.home, done, name, report)
        told = f"is restored from {done.snapshot}"
        if done.asleep:
            report.done(name, f"{told}; it is stopped, as before")
            return
        wait_until_up(lxd, name, report, timeouts=waits, probe_ssh=probe_ssh)
        seconds = waits.clock() - began
        report.done(name, f"{told}; nobody could log in for {seconds:.0f} s")


def _restored(lxd: Lxd, action: Restore, facts: Facts, report: Report) -> Journal:
    """Files and wish are as they are to be, and the container is stopped."""
    if action.leftover is None:
        finish_half_taken(lxd, facts.instance)
        clear(lxd, action.name, facts.home)
        refuse_unstartable(lxd, facts.instance)
    name = action.name
    try:
        journal = _begun(lxd, action, facts, report)
        _bring_back(lxd, action, facts.home, journal, report)
    except LabError as error:
        raise _with_way_on(error, action) from error
    except BaseException:
        report.say(f"{name} is restored only in part. To continue: {_command(action)}")
        raise
    _tell_driver(lxd, facts.instance, report)
    restored = journal.at(Step.RESTORED)
    lxd.update_volume(facts.home.pool, facts.home.name, {labels.RESTORE: str(restored)})
    return restored


def _begun(lxd: Lxd, action: Restore, facts: Facts, report: Report) -> Journal:
    name, earlier = action.name, action.leftover
    if earlier is not None:
        report.phase(name, "wait for LXD")
        lxd.wait_until_idle(name, timeout=_AS_LONG_AS_IT_TAKES)
    wish = earlier.wish if earlier else wish_of(managed_container(lxd, name), facts.home)
    journal = Journal(
        builder=me(),
        snapshot=action.pair.name,
        halves=action.halves,
        wish=wish,
        asleep=action.asleep,
    )
    lxd.update_volume(facts.home.pool, facts.home.name, {labels.RESTORE: str(journal)})
    # Neither the server's boot nor anybody's `lxc start --all` is to go on in between.
    lxd.update(name, config={AUTOSTART: "false"})
    report.phase(name, "stop")
    lxd.stop(name)
    return journal


def _bring_back(lxd: Lxd, action: Restore, home: Volume, journal: Journal, report: Report) -> None:
    """The home first: where that is refused, the root and its config are today's still."""
    name = action.name
    if Half.HOME in journal.halves:
        report.phase(name, "restore its home")
        lxd.restore_volume(home.pool, home.name, journal.snapshot)
        _size_again(lxd, home, action.pair.home, journal.wish)
    if Half.ROOT in journal.halves:
        report.phase(name, "restore its root")
        lxd.restore_snapshot(name, journal.snapshot)
        _put_back(lxd, name, journal, report)
    _give_keys(lxd, name, home, journal.wish, report)


def _size_again(lxd: Lxd, home: Volume, kept: Snapshot | None, wish: Wish) -> None:
    """On btrfs the quota of that day has come back, and LXD sets one only where its size changes.

    The root's needs no such thing: that of its day is among the devices that LXD has restored.
    """
    that_day = kept.config.get("size") if kept else None
    if that_day != wish.home_size:
        lxd.update_volume(home.pool, home.name, {"size": that_day})
        lxd.update_volume(home.pool, home.name, {"size": wish.home_size})


def _put_back(lxd: Lxd, name: str, journal: Journal, report: Report) -> None:
    """Today's wish in one change, at once."""
    changes, wish = changes_to(journal.wish, managed_container(lxd, name)), journal.wish
    changed = lxd.update(
        name,
        config=changes.config,
        devices=changes.devices,
        profiles=wish.profiles,
        description=wish.description,
    )
    # LXD makes a new one where user-data or NICs of that day were others.
    kept = next(one for one in lxd.snapshots_in_full(name) if one.name == journal.snapshot)
    identity = kept.config.get(IDENTITY)
    if identity is not None and changed.config.get(IDENTITY) != identity:
        lxd.update(name, config={IDENTITY: identity})
    former = wish.config.get(labels.FORMER)
    if former is not None and kept.config.get(labels.FORMER) != former:
        # It was renamed since that day.
        tell_name(lxd, name, former, report)


def _give_keys(lxd: Lxd, name: str, home: Volume, wish: Wish, report: Report) -> None:
    """Whoever was let in by a key then, and is not any more, stays out."""
    lines = wish.config.get(labels.AUTHORIZED, "").splitlines()
    if not lines and keys_in(wish.config.get(labels.REQUEST, "")):
        return  # an earlier version made it, whose keys are in the home
    instance = managed_container(lxd, name)
    try:
        asked = {parse_key(line).fingerprint for line in lines}
        revoked = sorted(given(home, instance) - asked)
        give_keys(lxd, name, wish.config[labels.OWNER], lines, revoked)
    except (LxdError, BadKey) as error:
        # Its user may have put anything there; that is no reason to keep it stopped.
        told = error.brief if isinstance(error, LabError) else str(error)
        report.say(f"{name}: its ssh keys are those of the snapshot, they could not be set: {told}")


def _finish(lxd: Lxd, home: Volume, journal: Journal, name: str, report: Report) -> None:
    """From here on its user may write to it: nothing is restored any more."""
    lxd.update(name, config={AUTOSTART: journal.wish.config.get(AUTOSTART)})
    if not journal.asleep:
        report.phase(name, "boot")
        start_up(lxd, name, report)
    lxd.update_volume(home.pool, home.name, {labels.RESTORE: None})


def _tell_driver(lxd: Lxd, before: Instance, report: Report) -> None:
    had, has = (
        one.config.get(labels.DRIVER) for one in (before, managed_container(lxd, before.name))
    )
    if had != has:
        report.say(
            f"{before.name} has NVIDIA's libraries of that day again ({has or 'none'}). If they do "
            f"not fit the host: invoke sync-drivers {before.name}"
        )


def _with_way_on(error: LabError, action: Restore) -> LabError:
    way_on = f"Correct the cause, then continue: {_command(action)}"
    fix = "\n".join(filter(None, (error.fix, way_on)))
    kind = InputError if isinstance(error, InputError) else LxdError
    return kind(
        f"{error.brief} {action.name} is restored only in part.", details=error.details, fix=fix
    )


def _command(action: Restore) -> str:
    only = "" if len(action.halves) > 1 else f" --{action.halves[0].value}"
    return f"invoke restore {action.name} {action.pair.name}{only}"
