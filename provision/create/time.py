"""How long a new container's person has it, as keys of the container and of its home. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from lab import labels
from lab.dates import parse_date, read_date, refuse_past
from lab.errors import InputError
from lab.lxd.model import Instance, Volume
from provision.create.facts import Facts
from provision.create.request import Request
from provision.expiring import NEVER


def until_of(text: str) -> str:
    """What --until TEXT asks for, as `user.lab.until`; InputError for no date,."""
    return text if text == NEVER else parse_date("until", text).isoformat()


def time_of(request: Request, facts: Facts) -> dict[str, str]:
    """What is noted on both. InputError where the time of a kept home is over."""
    home = facts.home.config if facts.home and _is_its(facts.home) else {}
    noted = {labels.UNTIL: _until(request, facts, home), labels.MAIL: request.mail}
    kept = {key: home.get(key) for key in (labels.MAIL, labels.FREEZE)}
    return {key: value for key, value in {**kept, **_said(noted)}.items() if value}


def time_on_home(request: Request, facts: Facts) -> dict[str, str | None]:
    """The same, and nothing of what was done at the end of an earlier time."""
    keys = (labels.UNTIL, labels.MAIL, labels.FREEZE)
    return {**dict.fromkeys(keys), **time_of(request, facts), labels.EXPIRY: None}


def refuse_other_time(request: Request, instance: Instance) -> None:
    """InputError where INSTANCE, which is there, is to have another date or address."""
    asked = _said({labels.UNTIL: request.until, labels.MAIL: request.mail})
    differing = {key for key, value in asked.items() if instance.config.get(key) != value}
    if not differing:
        return
    options = [f"--until {request.until}"] if labels.UNTIL in differing else []
    options += [f"--mail {request.mail}"] if labels.MAIL in differing else []
    raise InputError(
        f'The container "{request.name}" exists, and has another end date or mail address.',
        details="provision does not change them.",
        fix=f"Change them: invoke renew {request.name} {' '.join(options)}",
    )


def _until(request: Request, facts: Facts, home: Mapping[str, str]) -> str | None:
    if request.until is not None:
        if (asked := read_date(request.until)) is not None:
            fix = "Give a later date, or --until never"
            refuse_past("until", asked, facts.today, fix=fix)
        return request.until
    kept = home.get(labels.UNTIL)
    day = read_date(kept or "")
    if kept == NEVER or (day is not None and day >= facts.today):
        return kept
    if facts.lifetime is not None:
        return (facts.today + timedelta(days=facts.lifetime)).isoformat()
    if day is not None:
        raise InputError(
            f'The time of "{request.name}" ended on {day}, as its kept home says.',
            fix="Give a new one: --until DATE, or --until never",
        )
    return None


def _is_its(home: Volume) -> bool:
    return labels.OWNER in home.config


def _said(keys: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in keys.items() if value is not None}
