"""More time, or a freeze: what was done of the end of somebody's time is undone.

The new date is noted first, and the mark of what was done is removed last: a run that is killed in
between is finished by the same command, and until then no step is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from lab import labels
from lab.dates import Period, refuse_past
from lab.errors import CapacityError, InputError, LxdError
from lab.gpu_selection import GpuSelection
from lab.lxd.model import Instance
from lab.lxd.port import Lxd
from lab.names import quote
from lab.notify.notice import Notice, Tell, Told
from lab.report import Report
from lab.settings.notify import Event
from lab.settings.settings import Settings
from provision.create.provision import Provisioned
from provision.create.request import Request
from provision.expiring import ENDED, today_in, until_value
from provision.expiry.people import Person, note, person
from provision.expiry.wish import Wish, read_wish
from provision.managed import container_lock, is_preparing
from provision.running import bring_up_held

Stamp = Callable[[Request], Provisioned]
"""Makes a container: `provision`, with all that it needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """What is asked for; what is left out stays as it is."""

    until: date | None = None
    days: int | None = None
    """From today on."""
    never: bool = False
    freeze: date | None = None
    """Its last day; the first one is today."""
    unfreeze: bool = False
    mail: str | None = None
    """Empty: none any more."""

    def __post_init__(self) -> None:
        if sum((self.until is not None, self.days is not None, self.never)) > 1:
            raise InputError("renew takes one of --until, --days and --never.")
        if self.freeze is not None and self.unfreeze:
            raise InputError("renew takes --freeze or --unfreeze, not both.")

    @property
    def gives_time(self) -> bool:
        """Also where nothing is said: then it is the lab's lifetime."""
        other = self.freeze is not None or self.unfreeze or self.mail is not None
        return self.until is not None or self.days is not None or self.never or not other


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    until: date | None
    frozen: str | None = None
    brought_back: bool = False
    """Whether its container was made again."""
    started: bool = False
    password: str | None = field(default=None, repr=False)
    lacks_gpus: int = 0
    """As many as it had, and did not get again."""
    backup: str | None = None
    """In which what was installed outside the home is."""
    told: Told = field(default_factory=Told)

    def document(self, name: str) -> dict[str, Any]:
        made = {} if self.password is None else {"password": self.password}
        return {
            "name": name,
            "until": until_value(self.until),
            "frozen": self.frozen,
            "brought_back": self.brought_back,
            "started": self.started,
            "lacks_gpus": self.lacks_gpus,
            "backup": self.backup,
            "not_told": list(self.told.troubles),
            **made,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What renewing is done with."""

    lxd: Lxd
    settings: Settings
    report: Report
    tell: Tell
    stamp: Stamp
    start: Callable[[str], bool]
    """Starts a container whose lock is held, and waits until it answers."""


def starter(lxd: Lxd, settings: Settings, report: Report) -> Callable[[str], bool]:
    return lambda name: bring_up_held(lxd, settings, name, report=report)


def renew(means: Means, name: str, renewal: Renewal) -> Renewed:
    """The person of NAME has more time; stopped is started, removed is made again from the home."""
    with _locked(means, name):
        one = _found(means.lxd, name)
        today = today_in(means.lxd, means.settings)
        noted = _noted(renewal, means.settings, today)
        note(means.lxd, one, noted)
        wish = _to_be_made(one) if renewal.gives_time else None
    made, lacks = _bring_back(means, name, wish) if wish is not None else (None, 0)
    with _locked(means, name):
        one = _found(means.lxd, name)
        started = renewal.gives_time and _started(means, one)
        if renewal.gives_time:
            _finish(means, one, wish)
    until = one.until
    told = _tell(means.tell, one, until) if renewal.gives_time else Told()
    means.report.done(name, f"until {until_value(until)}")
    return Renewed(
        until=until,
        frozen=_found(means.lxd, name).noted.get(labels.FREEZE),
        brought_back=made is not None,
        started=started,
        password=made.password if made else None,
        lacks_gpus=lacks,
        backup=wish.backup if wish else None,
        told=told,
    )


def _locked(means: Means, name: str) -> AbstractContextManager[None]:
    return container_lock(means.settings, name, means.report, f"renew {name}")


def _found(lxd: Lxd, name: str) -> Person:
    found = person(lxd, name)
    if found is None:
        raise InputError(
            f"There is no container {quote(name)}, and no home of it.",
            details="What was purged is only in its backup.",
            fix=f"List who is there: invoke expire --plan\n"
            f"or bring it back from its backup: invoke restore-backup {name}",
        )
    return found


def _noted(renewal: Renewal, settings: Settings, today: date) -> dict[str, str | None]:
    """The keys that change at once."""
    noted: dict[str, str | None] = {}
    if renewal.gives_time:
        noted[labels.UNTIL] = until_value(_until(renewal, settings, today))
    if renewal.freeze is not None:
        refuse_past("freeze", renewal.freeze, today)
        noted[labels.FREEZE] = str(Period(today, renewal.freeze))
    if renewal.unfreeze:
        noted[labels.FREEZE] = None
    if renewal.mail is not None:
        noted[labels.MAIL] = renewal.mail or None
    return noted


def _until(renewal: Renewal, settings: Settings, today: date) -> date | None:
    if renewal.never:
        return None
    if renewal.until is not None:
        refuse_past("until", renewal.until, today)
        return renewal.until
    days = settings.expiry.lifetime if renewal.days is None else renewal.days
    if days is None:
        raise InputError(
            "renew needs a date: the lab's settings have no `expiry: {lifetime: …}`.",
            fix="Give --until DATE, --days N or --never.",
        )
    return today + timedelta(days=days)


def _to_be_made(one: Person) -> Wish | None:
    """How the container was that is to be made again; None where it is there."""
    home, container = one.home, one.container
    if home is None or (container is not None and not is_preparing(container)):
        return None
    return read_wish(home.config.get(labels.WISH))


def _bring_back(means: Means, name: str, wish: Wish) -> tuple[Provisioned, int]:
    """And how many GPUs it did not get again."""
    request = wish.request(name, means.settings.shares)
    try:
        return means.stamp(request), 0
    except CapacityError as error:
        if not wish.gpus:
            raise
        means.report.say(f"{name} is made without its earlier GPUs: {error.brief}")
    return means.stamp(replace(request, gpus=GpuSelection())), wish.gpus


def _started(means: Means, one: Person) -> bool:
    """Whether it was stopped at the end of its time, and runs now."""
    mark = one.mark
    if mark is None or mark.state not in ENDED or one.container is None:
        return False
    return means.start(one.name)


def _finish(means: Means, one: Person, wish: Wish | None) -> None:
    """Nothing is noted any more of what was done."""
    if wish is not None and one.container is not None:
        _give_the_rest(means, one.container, wish)
    elif one.container is None:
        means.report.say(
            f"{one.name} has no container; its home is kept. To make one: invoke provision "
            f"{one.name}"
        )
    note(means.lxd, one, {labels.EXPIRY: None})
    home = one.home
    if home is not None and labels.WISH in home.config:
        means.lxd.update_volume(home.pool, home.name, {labels.WISH: None})


def _give_the_rest(means: Means, container: Instance, wish: Wish) -> None:
    """Limits and devices that it had since it was made first."""
    config, devices = wish.rest(container)
    if config:
        means.lxd.update(container.name, config=config)
    for name, device in devices.items():
        _give_device(means, container.name, name, device)


def _give_device(means: Means, container: str, name: str, device: Mapping[str, str]) -> None:
    """Somebody else may have its port by now: that is said, and is no reason to fail."""
    try:
        means.lxd.update(container, devices={name: device})
    except LxdError as error:
        means.report.say(
            f"{container} is without its device {name}: {error.details or error.brief}"
        )


def _tell(tell: Tell, one: Person, until: date | None) -> Told:
    fields = {"name": one.name, "until": until_value(until)}
    return tell(Notice(event=Event.RENEWED, fields=fields, mail=one.mail))
