"""The sections of a card that tell how to come in: ssh, desktop, files, programs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from provision.card import typed
from provision.card.document import Block, Code, File, Line, Paragraph, Section, Steps
from provision.card.facts import Facts, Way
from provision.card.words import Words


def ways_in(facts: Facts, words: Words) -> Iterator[Section]:
    yield _section(words, "login", _login(facts, words))
    if facts.rdp is not None:
        yield _section(words, "desktop", _desktop(facts, facts.rdp, words))
    yield _section(words, "files", _files(facts, words))
    yield _section(words, "filezilla", _filezilla(facts, words))
    yield _section(words, "vscode", [_steps(facts, words, "vscode", 4)])
    yield _section(words, "pycharm", [_steps(facts, words, "pycharm", 4)])
    yield _section(words, "mobaxterm", [Steps(tuple(_mobaxterm(facts, words)))])


def whom(facts: Facts, words: Words) -> str:
    """Within a sentence; who it is stands at the top."""
    return words.text("above" if facts.contact else "admin")


def _section(words: Words, key: str, blocks: list[Block]) -> Section:
    return Section(title=words.text(f"{key}.title"), blocks=tuple(blocks))


def _login(facts: Facts, words: Words) -> list[Block]:
    front = facts.ssh.through
    blocks: list[Block] = [
        Paragraph(words.line("login.command")),
        Code((typed.ssh(facts),)),
    ]
    if front is None:
        address = f"{facts.account}@{facts.ssh.host}"
        blocks.append(
            Paragraph(words.line("login.direct", address=address, whom=whom(facts, words)))
        )
    elif front.account is None:
        blocks.append(Paragraph(words.line("login.you", front=front.host, you=typed.YOU)))
    return [
        *blocks,
        Paragraph(words.line("login.key", whom=whom(facts, words))),
        Paragraph(words.line("login.config", name=facts.name)),
        Code(typed.config(facts)),
    ]


def _desktop(facts: Facts, way: Way, words: Words) -> list[Block]:
    target, opened = _reached(way, "rdp", words)
    # A name of a file on any computer.
    file = f"{re.sub('[^A-Za-z0-9-]', '_', facts.name)}.rdp"
    return [
        *opened,
        Paragraph(words.line("desktop.windows", target=target, file=file)),
        File(
            file,
            words.line("desktop.offer", file=file),
            words.line("desktop.make", file=file),
            typed.rdp_file(facts, target),
        ),
        Paragraph(words.line("desktop.mac", target=target, file=file)),
        Paragraph(words.line("desktop.linux", target=target, account=facts.account)),
        Code((typed.xfreerdp(facts, target),)),
        Paragraph(words.line("desktop.password", account=facts.account)),
        Paragraph(words.line("desktop.session")),
    ]


def _files(facts: Facts, words: Words) -> list[Block]:
    return [
        Paragraph(words.line("files.commands")),
        # Apart: on a phone each of them takes several lines.
        Code((typed.scp(facts, file="results.csv"),)),
        Code((typed.sftp(facts),)),
        Paragraph(words.line("files.home", account=facts.account)),
    ]


def _filezilla(facts: Facts, words: Words) -> list[Block]:
    target, opened = _reached(facts.ssh, "sftp", words)
    host, _, port = target.rpartition(":")
    steps = (
        words.line("filezilla.1"),
        words.line("filezilla.2", host=host, port=port),
        words.line("filezilla.3", account=facts.account),
    )
    return [*opened, Steps(steps)]


def _mobaxterm(facts: Facts, words: Words) -> Iterator[Line]:
    way, front = facts.ssh, facts.ssh.through
    yield words.line("mobaxterm.1", host=way.host, account=facts.account, port=way.port)
    yield words.line("mobaxterm.2")
    if front is not None:
        yield words.line(
            "mobaxterm.jump",
            host=front.host,
            account=front.account or typed.YOU,
            port=front.port,
        )
    yield words.line("mobaxterm.3")


def _steps(facts: Facts, words: Words, key: str, count: int) -> Steps:
    fields = {"name": facts.name, "account": facts.account}
    return Steps(tuple(words.line(f"{key}.{n}", **fields) for n in range(1, count + 1)))


def _reached(way: Way, kind: str, words: Words) -> tuple[str, list[Block]]:
    """What a program without a way of its own through the server connects to, and what opens it."""
    if way.through is None:
        return f"{typed.in_url(way.host)}:{way.port}", []
    at = typed.TUNNEL[kind]
    opened: list[Block] = [
        Paragraph(words.line("tunnel")),
        Code((typed.tunnel(way, way.through, at),)),
    ]
    return f"localhost:{at}", opened
