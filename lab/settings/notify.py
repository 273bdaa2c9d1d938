"""`notify:` in lab.yaml: who is told of what, in which language."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from lab.names import did_you_mean
from lab.yaml.model import LocalPath, StrictModel, value_error


class Event(str, Enum):
    WARNING = "expiry-warning"
    STOPPED = "stopped"
    ARCHIVED = "archived"
    HOME_KEPT = "home-kept"
    PURGE_WARNING = "purge-warning"
    PURGED = "purged"
    RENEWED = "renewed"
    JOB_FAILED = "job-failed"
    TEST = "test"
    """Of `invoke notify --test`, which is always sent."""


class Language(str, Enum):
    ENGLISH = "en"
    CHINESE = "zh"


EVENTS = tuple(event for event in Event if event is not Event.TEST)


def _language(value: object) -> object:
    known = [one.value for one in Language]
    if value not in known:
        raise value_error(f"must be one of {', '.join(known)}")
    return Language(value)


def _event(value: object) -> object:
    known = [one.value for one in EVENTS]
    if value not in known:
        hint = did_you_mean(str(value), known)
        raise value_error(f"must be one of {', '.join(known)}", hint=hint)
    return Event(value)


def _some(value: tuple[Event, ...]) -> tuple[Event, ...]:
    if not value:
        raise value_error("must name an event; leave the key out for all of them")
    return value


class NotifySettings(StrictModel):
    """Without a file nobody is told, but for the line at each login."""

    urls_file: LocalPath | None = None
    """Apprise's URLs, a line each: secrets, so the file is its owner's alone."""
    lang: Annotated[Language, BeforeValidator(_language)] = Language.ENGLISH
    events: Annotated[
        tuple[Annotated[Event, BeforeValidator(_event)], ...], AfterValidator(_some)
    ] = EVENTS
