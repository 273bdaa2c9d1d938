"""Sending messages by apprise; the only code that imports it. URLs are never shown or logged."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import apprise

from lab.errors import InputError, LabError
from lab.notify.notice import Notice, Tell, Told, nobody
from lab.notify.targets import Target, read_targets
from lab.notify.texts import worded
from lab.settings.notify import Event, NotifySettings

DEADLINE: Final = 30.0
"""Seconds for all addresses together, which are asked side by side."""
_LOG: Final = logging.getLogger("apprise")
# What apprise logs quotes addresses and answers of servers; of it, only these are said.
_ANSWERED: Final = re.compile(r"error=(\d{3})\b")
_EXAMPLE: Final = "person@example.org"


def notifier(settings: NotifySettings, *, deadline: float = DEADLINE) -> Tell:
    """What tells those whom SETTINGS name. It never raises: troubles are in what it returns."""
    path = settings.urls_file
    if path is None:
        return nobody
    _LOG.propagate = False

    def tell(notice: Notice) -> Told:
        if notice.event is not Event.TEST and notice.event not in settings.events:
            return Told()
        try:
            targets = read_targets(path)
        except LabError as error:
            return Told(troubles=(error.brief,))
        return _send(notice, targets, worded(notice, settings.lang), deadline)

    return tell


def check(settings: NotifySettings) -> tuple[Target, ...]:
    """The addresses; InputError where there is none, or apprise does not know one."""
    if settings.urls_file is None:
        raise InputError(
            "The settings name nobody to tell.",
            fix="Set `notify: {urls-file: /etc/labstamp/notify.urls}` in lab.yaml.",
        )
    _LOG.propagate = False
    targets = read_targets(settings.urls_file)
    if not targets:
        raise InputError(
            f"{settings.urls_file} names no addresses.",
            fix="Write one URL in each line, as apprise has them.",
        )
    unknown = [one for one in targets if _instance(one.url_for(_EXAMPLE) or "") is None]
    if unknown:
        raise InputError(
            f"{settings.urls_file}: not known to apprise: {', '.join(map(str, unknown))}.",
            fix="Correct these lines; special characters in a password are written as %40.",
        )
    return targets


@dataclass
class _Try:
    """One address; DONE tells whether it accepted, None as long as it has not answered."""

    target: Target
    url: str = field(repr=False)
    done: bool | None = None
    said: list[str] = field(default_factory=list, repr=False)

    @property
    def trouble(self) -> str:
        if self.done is None:
            return f"{self.target} did not answer in time"
        log = "\n".join(self.said)
        if answered := _ANSWERED.search(log):
            return f"{self.target} answered with the error {answered[1]}"
        if re.search(r"connect|socket|timed? ?out|refused", log, re.IGNORECASE):
            return f"{self.target} cannot be reached"
        return f"{self.target} did not accept it"


class _Listener(logging.Handler):
    """Keeps what apprise logs while it works for an address: each has a thread of its own."""

    def __init__(self, tries: Mapping[int | None, _Try]) -> None:
        super().__init__()
        self._tries = tries

    def emit(self, record: logging.LogRecord) -> None:
        if (found := self._tries.get(record.thread)) is not None:
            found.said.append(record.getMessage())


def _send(
    notice: Notice, targets: tuple[Target, ...], text: tuple[str, str], deadline: float
) -> Told:
    by_thread: dict[int | None, _Try] = {}
    listener = _Listener(by_thread)
    _LOG.addHandler(listener)
    try:
        tries = [_Try(one, url) for one in targets if (url := one.url_for(notice.mail)) is not None]
        threads = [
            # A daemon: whoever does not answer must not hold up the end of the program.
            threading.Thread(target=_ask, args=(one, text, by_thread), daemon=True)
            for one in tries
        ]
        end = time.monotonic() + deadline
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
    finally:
        _LOG.removeHandler(listener)
    return Told(
        sent=sum(one.done is True for one in tries),
        troubles=tuple(one.trouble for one in tries if one.done is not True),
    )


def _ask(one: _Try, text: tuple[str, str], by_thread: dict[int | None, _Try]) -> None:
    by_thread[threading.get_ident()] = one
    service = _instance(one.url)
    if service is None:
        one.done = False
        return
    title, body = text
    try:
        # Else a mail is taken for HTML: without its lines, and without what looks like a tag.
        sent = service.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT)
        one.done = bool(sent)
    except Exception as error:  # noqa: BLE001 - of code for a hundred services
        one.said.append(type(error).__name__)
        one.done = False


def _instance(url: str) -> apprise.NotifyBase | None:
    found = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    return found if isinstance(found, apprise.NotifyBase) else None
