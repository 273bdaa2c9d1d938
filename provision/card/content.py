"""A card from facts, in one language. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from lab.settings.people import SSH
from lab.settings.shares import ShareKind
from lab.sizes import format_size
from provision.card import typed
from provision.card.document import Block, Card, Code, Line, Paragraph, Section, Span, Style, Table
from provision.card.facts import Facts, Share
from provision.card.ways_in import ways_in, whom
from provision.card.words import Words, value


def card_of(facts: Facts, words: Words) -> Card:
    return Card(
        language=words.language,
        title=words.text("title", name=facts.name),
        sections=(
            Section(title="", blocks=tuple(_first(facts, words))),
            *ways_in(facts, words),
            Section(title=words.text("have.title"), blocks=tuple(_belongings(facts, words))),
            Section(title=words.text("password.title"), blocks=tuple(_password(facts, words))),
            Section(title=words.text("end.title"), blocks=tuple(_end(facts, words))),
        ),
    )


def _first(facts: Facts, words: Words) -> Iterator[Block]:
    way = facts.ssh
    address = f"{typed.in_url(way.host)}:{way.port}" if way.port != SSH else way.host
    rows: list[tuple[str, Line]] = [
        (words.text("label.address"), (_code(address),)),
        (words.text("label.account"), (_code(facts.account),)),
    ]
    if way.through is not None:
        rows.append((words.text("label.through"), (_code(typed.jump(way.through)),)))
    until = (value(facts.until),) if facts.until else words.line("end.no_date")
    rows.append((words.text("label.until"), until))
    rows.append((words.text("label.contact"), (value(_contact(facts, words)),)))
    yield Table(tuple(rows))


def _belongings(facts: Facts, words: Words) -> Iterator[Block]:
    memory = facts.memory_share or words.text("have.all")
    rows: list[tuple[str, Line]] = [
        (words.text("label.cpus"), (value(facts.cpus or words.text("have.all")),)),
        (words.text("label.memory"), (value(_size(facts.memory, memory)),)),
        (words.text("label.root"), (value(_size(facts.root, words.text("have.pool"))),)),
        (words.text("label.home"), (value(_size(facts.home, words.text("have.pool"))),)),
        (words.text("label.gpus"), (value(", ".join(facts.gpus) or words.text("have.none")),)),
        *((words.text("label.share"), _share(share, words)) for share in facts.shares),
    ]
    yield Table(tuple(rows))
    yield Paragraph(words.line("have.keep"))
    yield Paragraph(words.line("have.info"))
    if facts.gpus:
        yield Paragraph(words.line("have.gpus"))
    if facts.has_docker:
        yield Paragraph(words.line("have.docker"))


def _share(share: Share, words: Words) -> Line:
    known = {one.value for one in ShareKind}
    kind = words.line(f"share.{share.kind}") if share.kind in known else ()
    return (_code(share.place), *((Span(": "), *kind) if kind else ()))


def _password(facts: Facts, words: Words) -> Iterator[Block]:
    if facts.password is not None:
        yield Paragraph(words.line("password.once"))
        yield Code((value(facts.password).text,))
    else:
        yield Paragraph(words.line("password.was", whom=whom(facts, words)))


def _end(facts: Facts, words: Words) -> Iterator[Block]:
    key = "end.until" if facts.until else "end.never"
    yield Paragraph(words.line(key, until=facts.until))
    yield Paragraph(words.line("end.contact", whom=_contact(facts, words)))


def _contact(facts: Facts, words: Words) -> str:
    return facts.contact or words.text("admin")


def _size(size: int | None, unsaid: str) -> str:
    return unsaid if size is None else format_size(size)


def _code(text: str) -> Span:
    return Span(value(text).text, Style.CODE)
