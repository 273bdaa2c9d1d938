"""Commands about the end of people's time: more of it, and what is done at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from invoke.context import Context

from commands.cli import command, connect_to, count, keep_quotas, read_settings
from commands.notifying import teller, telling_failures
from lab import console
from lab.errors import InputError
from lab.notify.notice import Tell, nobody
from lab.settings.settings import Settings

if TYPE_CHECKING:
    from lab.lxd.port import Lxd
    from lab.report import Report
    from provision.expiry.archive import Archive
    from provision.expiry.renew import Means
    from provision.expiry.run import Row

_MOST_DAYS: Final = 3650


@command(
    help={
        "name": "The container, or the one that was removed at the end of its time.",
        "until": "Its last day: 2027-01-31, or never.",
        "days": "So many days from today.",
        "never": "Without an end.",
        "freeze": "Nothing happens to it until this day is over: a leave, a holiday.",
        "unfreeze": "End the freeze.",
        "mail": "Mail address of its user; none removes it.",
        "json": "One JSON document on stdout.",
    }
)
def renew(
    _c: Context,
    name: str,
    until: str = "",
    days: str = "",
    never: bool = False,
    freeze: str = "",
    unfreeze: bool = False,
    mail: str = "",
    json: bool = False,
) -> None:
    """Give more time: what was stopped is started, what was removed is made again."""
    from commands.views import expiry as view
    from lab.dates import parse_date
    from lab.mail import check_mail
    from provision.expiry import renew as renewing

    wish = renewing.Renewal(
        until=parse_date("until", until) if until and until != "never" else None,
        days=_days(days),
        never=never or until == "never",
        freeze=parse_date("freeze", freeze) if freeze else None,
        unfreeze=unfreeze,
        mail="" if mail == "none" else (check_mail(mail) if mail else None),
    )
    settings = read_settings()
    with console.reporter() as report:
        keep_quotas(settings, report)
        renewed = renewing.renew(means(connect_to(settings), settings, report), name, wish)
    for trouble in renewed.told.troubles:
        console.print_note(f"A message was not sent: {trouble}")
    if json:
        console.print_json(renewed.document(name))
        return
    for line in view.of_renewed(name, renewed):
        console.print_text(line)


@command(
    help={
        "plan": "Show tonight's steps and the next ones; change nothing.",
        "json": "One JSON document on stdout.",
    }
)
def expire(_c: Context, plan: bool = False, json: bool = False) -> None:
    """Take the steps at the end of people's time that are due. The timer runs this."""
    from commands.views import expiry as view
    from provision.expiry import run

    settings = read_settings()
    tell = nobody if plan else teller(settings)
    with telling_failures(tell, "invoke expire"):
        lxd = connect_to(settings)
        rows = run.plan(lxd, settings) if plan else _run(lxd, settings, tell)
        if json:
            console.print_json({"people": [row.document() for row in rows]})
        else:
            found = [view.row(row) for row in rows]
            console.print_table("", view.COLUMNS, found, empty=view.NOBODY)
        if (failed := run.failure(rows)) is not None:
            raise failed


def _run(lxd: Lxd, settings: Settings, tell: Tell) -> tuple[Row, ...]:
    from provision.expiry import run
    from provision.expiry.steps import Tools

    with console.reporter() as report:
        keep_quotas(settings, report)
        made = archive(lxd, settings, report)
        return run.run(Tools(lxd=lxd, settings=settings, archive=made, tell=tell, report=report))


def archive(lxd: Lxd, settings: Settings, report: Report) -> Archive:
    """Who makes the backups without which nothing is removed."""
    from provision.backup.archive import Archived
    from provision.expiry.archive import NoArchive

    if not settings.backup.to:
        return NoArchive()
    return Archived(lxd=lxd, settings=settings, report=report)


def means(lxd: Lxd, settings: Settings, report: Report) -> Means:
    from provision.create.provision import Provisioned, provision
    from provision.create.request import Request
    from provision.expiry.renew import Means, starter

    def stamp(request: Request) -> Provisioned:
        return provision(lxd, settings, request, report)

    return Means(
        lxd=lxd,
        settings=settings,
        report=report,
        tell=teller(settings),
        stamp=stamp,
        start=starter(lxd, settings, report),
    )


def _days(text: str) -> int | None:
    found = count("days", text)
    if found is not None and not 1 <= found <= _MOST_DAYS:
        raise InputError(f"--days {text}: expected a number from 1 to {_MOST_DAYS}.")
    return found
