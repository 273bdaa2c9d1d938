"""One step for one person, done by a caller who holds the container's lock.

The mark is written when the step was done, so a run that is killed in between leaves it to be done
again; each step bears that. Only a stop is noted first: otherwise, if its run is killed, renewing
would not know that it has to start the container. Noted and not done or not told, it is due again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from lab import labels
from lab.errors import CheckError, LxdError
from lab.lxd.port import Lxd
from lab.notify.notice import Notice, Tell, Told
from lab.report import Report
from lab.settings.notify import Event
from lab.settings.settings import Settings
from provision.expiring import Mark, State
from provision.expiry.archive import Archive
from provision.expiry.machine import Facts, Next, Step, begun, done, last_day, purge_day
from provision.expiry.people import Person, note
from provision.expiry.wish import kept_wish
from provision.lifecycle import destroy_held
from provision.running import stop_held

_EVENTS: Final = {
    Step.WARN: Event.WARNING,
    Step.STOP: Event.STOPPED,
    Step.ARCHIVE: Event.ARCHIVED,
    Step.REMOVE_ROOT: Event.HOME_KEPT,
    Step.ANNOUNCE: Event.PURGE_WARNING,
    Step.PURGE: Event.PURGED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What every step is given."""

    lxd: Lxd
    settings: Settings
    archive: Archive
    tell: Tell
    report: Report


def take_step(
    tools: Tools, person: Person, facts: Facts, step: Next, backup: str | None = None
) -> Told:
    """Do STEP, tell whoever must know, note it. BACKUP: the one that was made for it."""
    match step.step:
        case Step.STOP:
            _note(tools, person, begun(facts, step))
            stop_held(tools.lxd, person.name, report=tools.report)
        case Step.REMOVE_ROOT:
            person = _remove_root(tools, person)
        case Step.PURGE:
            _purge(tools, person)
    told = _tell(tools, person, facts, step, backup)
    if step.step is Step.ANNOUNCE and told.reached_nobody:
        raise LxdError(
            f"Nobody could be told that the home of {person.name} will be removed.",
            details="\n".join(told.troubles),
            fix="Correct the addresses, and try them: invoke notify --test",
        )
    _note(tools, person, done(facts, step, backup=backup))
    return told


def _note(tools: Tools, person: Person, mark: Mark | None) -> None:
    if mark is not None:
        note(tools.lxd, person, {labels.EXPIRY: str(mark)})


def _remove_root(tools: Tools, person: Person) -> Person:
    """The home is kept, and on it how the container was. What is left of PERSON."""
    mark, home = person.mark, person.home
    if person.container is None or home is None or mark is None:
        return person
    try:
        _insist_on_backup(tools, person)
    except CheckError:
        # Root and home are here, so another one can be made.
        again = replace(mark, state=State.STOPPED, backup=None)
        note(tools.lxd, person, {labels.EXPIRY: str(again)})
        raise
    wish = kept_wish(person.container, mark.backup)
    tools.lxd.update_volume(home.pool, home.name, {labels.WISH: wish})
    destroy_held(tools.lxd, tools.settings, person.name, purge=False, report=tools.report)
    return replace(person, container=None)


def _purge(tools: Tools, person: Person) -> None:
    backup = _insist_on_backup(tools, person)
    # A later person of that name has backups of their own, and old ones are removed.
    tools.archive.keep(person.name, backup)
    destroy_held(tools.lxd, tools.settings, person.name, purge=True, report=tools.report)


def _insist_on_backup(tools: Tools, person: Person) -> str:
    backup = person.mark.backup if person.mark else None
    if backup is None or not tools.archive.has(person.name, backup):
        raise CheckError(
            f"The verified backup {backup} of {person.name} was not found.",
            details="Nothing was removed.",
            fix=f"Check the backups, or keep the person: invoke renew {person.name} --never",
        )
    return backup


def _tell(tools: Tools, person: Person, facts: Facts, step: Next, backup: str | None) -> Told:
    event = _EVENTS.get(step.step) if step.step else None
    if event is None or facts.until is None:
        return Told()
    end = last_day(facts, facts.until) if event is Event.WARNING else facts.until
    kept = person.mark.backup if person.mark else None
    fields = {
        "name": person.name,
        "until": end.isoformat(),
        "days": str((end - facts.today).days),
        "backup": backup or kept or "",
        "purge": purge_day(facts).isoformat(),
    }
    return tools.tell(Notice(event=event, fields=fields, mail=person.mail))
