"""Telling people by the addresses of `notify:` in lab.yaml."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from invoke.context import Context

from commands.cli import command, read_settings
from lab import console
from lab.errors import CheckError, InputError, LabError
from lab.notify.notice import Notice, Tell, nobody
from lab.settings.notify import Event
from lab.settings.settings import Settings


@command(help={"test": "Send a test to every address."})
def notify(_c: Context, test: bool = False) -> None:
    """Try the addresses that messages go to."""
    from lab.notify.send import check

    if not test:
        raise InputError("notify needs --test.", fix="Type: invoke notify --test")
    settings = read_settings()
    own = [one for one in check(settings.notify) if not one.is_persons]
    told = teller(settings)(Notice(event=Event.TEST, fields={"host": socket.gethostname()}))
    console.print_text(f"{told.sent} of {len(own)} addresses accepted a test.")
    if told.troubles:
        raise CheckError(
            "Some addresses did not accept the test.",
            details="\n".join(told.troubles),
            fix=f"Correct them in {settings.notify.urls_file}",
        )


def teller(settings: Settings) -> Tell:
    """Imports apprise only where there is somebody to tell."""
    if settings.notify.urls_file is None:
        return nobody
    from lab.notify.send import notifier

    return notifier(settings.notify)


@contextmanager
def telling_failures(tell: Tell, job: str) -> Iterator[None]:
    """The lab is told of a LabError, which then goes on: nobody looks at a timer's work."""
    try:
        yield
    except LabError as error:
        fields = {"job": job, "host": socket.gethostname(), "details": str(error)}
        for trouble in tell(Notice(event=Event.JOB_FAILED, fields=fields)).troubles:
            console.print_note(f"A message was not sent: {trouble}")
        raise
