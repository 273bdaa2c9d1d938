"""What a card tells, and that nothing in it is more than text."""

from __future__ import annotations

import base64
import re
import shlex
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from markdown_it import MarkdownIt

from lab.errors import InputError
from lab.settings.notify import Language
from lab.settings.people import Front, front_of
from lab.settings.settings import Settings
from provision.card import typed
from provision.card.facts import Share, Way, facts_of
from provision.listing import show
from tests.support.builders.carding import (
    FRONT,
    HOSTILE,
    base,
    desktop,
    hostile,
    reached_directly,
    rendered,
)
from tests.support.builders.stamping import SETTINGS, a_lab, bob, stamp

FORMATS = ("text", "markdown", "html")


def shown(**changed: Any) -> dict[str, Any]:
    lxd = a_lab()
    stamp(lxd, bob(template="docker", until="2027-01-31"))
    return {**show(lxd, SETTINGS, "bob"), **changed}


def test_facts_are_those_of_show() -> None:
    settings = Settings(public="lab.example.edu:2222", contact="Ann")
    shares = [{"name": "team", "at": "/team", "kind": "open"}]
    cards = [{"model": "RTX 4090", "pci": "0000:31:00.0", "mig": ["MIG-1"]}]
    facts = facts_of(
        shown(ipv4=["10.0.0.2", "10.0.0.3"], shares=shares, cards=cards, until="2027-01-31"),
        settings,
        password="once",
    )
    assert (facts.name, facts.account, facts.contact) == ("bob", "bob", "Ann")
    assert facts.ssh == Way(host="10.0.0.2", port=22, through=FRONT)
    assert facts.rdp is not None
    assert (facts.rdp.port, facts.rdp.through) == (3389, FRONT)
    assert facts.shares == (Share(place="/team", kind="open"),)
    assert facts.gpus == ("RTX 4090 (MIG-1)",)
    assert (facts.has_docker, facts.until, facts.password) == (True, "2027-01-31", "once")
    assert facts_of(shown(until="never"), settings).until is None


def test_without_an_address_there_is_no_card() -> None:
    with pytest.raises(InputError) as error:
        facts_of(shown(ipv4=[], ipv6=[], state="Stopped"), Settings())
    assert str(error.value) == (
        "bob has no address: its state is Stopped.\n"
        "  A card tells how to log in.\n"
        "Next: Start it: invoke start bob"
    )


@pytest.mark.parametrize(
    ("facts", "lines"),
    [
        (
            base(),
            (
                "ssh -J you@lab.example.edu:2222 alice@10.77.0.50",
                "sftp -J you@lab.example.edu:2222 alice@10.77.0.50",
                "scp -J you@lab.example.edu:2222 results.csv alice@10.77.0.50:",
                "ssh -N -L 2222:10.77.0.50:22 -p 2222 you@lab.example.edu",
                "    ProxyJump you@lab.example.edu:2222",
            ),
        ),
        (
            reached_directly(desktop()),
            (
                "ssh -p 40001 alice@lab.example.edu",
                "sftp -P 40001 alice@lab.example.edu",
                "scp -P 40001 results.csv alice@lab.example.edu:",
                "    Port 40001",
                "xfreerdp /v:lab.example.edu:40002 /u:alice /size:1600x900 /clipboard",
                "full address:s:lab.example.edu:40002",
            ),
        ),
        (
            desktop(),
            (
                "ssh -N -L 3390:10.77.0.50:3389 -p 2222 you@lab.example.edu",
                "full address:s:localhost:3390",
                "/team",
                "NVIDIA GeForce RTX 4090, NVIDIA GeForce RTX 4090",
            ),
        ),
        (
            base(ssh=Way(host="fd42::5", port=22, through=Front(host="fd00::1", account="jump"))),
            (
                "ssh -J jump@fd00::1 alice@fd42::5",
                "'alice@[fd42::5]:'",
                "ssh -N -L '2222:[fd42::5]:22' jump@fd00::1",
            ),
        ),
    ],
    ids=["through the server", "by ports", "a desktop", "IPv6"],
)
@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("format_", ["text", "markdown"])
def test_what_is_typed(
    facts: Any, lines: tuple[str, ...], language: Language, format_: str
) -> None:
    text = rendered(facts, format_, language)
    assert [line for line in lines if line not in text] == []


def test_a_front_with_an_account_of_all_needs_no_word_about_you() -> None:
    way = Way(host="10.77.0.50", port=22, through=Front(host="lab.example.edu", account="jump"))
    text = rendered(base(ssh=way), "text")
    assert "jump@lab.example.edu" in text
    assert "you@" not in text
    assert "an account of your own" not in text
    assert "an account of your own" in rendered(base(), "text")


def test_nothing_is_told_that_is_not_there() -> None:
    text = rendered(base(until=None, contact=None), "text")
    for absent in ("RDP", "Remmina", "docker", "nvidia-smi", "shared"):
        assert absent not in text
    assert "no end date" in text
    assert "ask: the server's admin" in text
    assert "to the server's admin" in text


def test_a_password_is_shown_only_where_it_was_just_made() -> None:
    assert "xk7q-once" in rendered(desktop(password="xk7q-once"), "html")
    assert "shown this once" in rendered(desktop(password="xk7q-once"), "text")
    assert "it was shown once" in rendered(desktop(), "text")


@pytest.mark.parametrize("format_", FORMATS)
def test_cards_are_whole_and_have_no_holes(format_: str) -> None:
    for facts in (base(), desktop(), reached_directly(desktop())):
        for language in Language:
            text = rendered(facts, format_, language)
            body = re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
            assert "{" not in body
            assert max(map(len, text.splitlines())) < 3000  # of what console prints uncut
            assert text.endswith("\n")


# ---- what others wrote ---------------------------------------------------------------------------


class Page(HTMLParser):
    """The tags, attributes and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("language", Language)
def test_a_page_is_as_it_would_be_with_a_plain_text(text: str, language: Language) -> None:
    calm, odd = (Page(rendered(hostile(one), "html", language)) for one in ("plain", text))
    assert odd.tags == calm.tags
    assert odd.open == []
    assert [name for name, _ in odd.attributes] == [name for name, _ in calm.attributes]
    assert set(odd.tags) & {"script", "img", "iframe", "link", "object", "form"} == set()
    for name, value in odd.attributes:
        assert not name.startswith("on")
        if name == "href":
            assert re.fullmatch(r"data:application/x-rdp;base64,[A-Za-z0-9+/=]+", value)


def test_a_page_fetches_nothing_and_has_no_script() -> None:
    for language, lang in ((Language.ENGLISH, "en"), (Language.CHINESE, "zh-CN")):
        text = rendered(desktop(), "html", language)
        page = Page(text)
        assert "script" not in page.tags
        assert not {"src", "srcset", "data", "action"} & {name for name, _ in page.attributes}
        assert "url(" not in text
        assert "@import" not in text
        assert ("lang", lang) in page.attributes
        assert "width=device-width" in text
        assert "default-src 'none'" in text


def test_the_file_of_a_page_is_what_windows_reads() -> None:
    page = Page(rendered(desktop(), "html"))
    (link,) = (value for name, value in page.attributes if name == "href")
    assert ("download", "alice.rdp") in page.attributes
    content = base64.b64decode(link.partition(",")[2]).decode()
    assert content.startswith("full address:s:localhost:3390\r\nusername:s:alice\r\n")
    assert all(re.fullmatch(r"[a-z ]+:[is]:.+", line) for line in content.split("\r\n")[:-1])


@pytest.mark.parametrize("text", HOSTILE)
def test_a_file_for_windows_has_one_line_each(text: str) -> None:
    calm, odd = (typed.rdp_file(hostile(one), "localhost:3390") for one in ("plain", text))
    assert len(odd) == len(calm)
    assert all(line.isprintable() for line in odd)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("language", Language)
def test_markdown_is_as_it_would_be_with_a_plain_text(text: str, language: Language) -> None:
    def forms(facts: str) -> list[tuple[str, tuple[str, ...]]]:
        tokens = MarkdownIt("commonmark").parse(rendered(hostile(facts), "markdown", language))
        return [(one.type, tuple(each.type for each in one.children or ())) for one in tokens]

    calm, odd = forms("plain"), forms(text)
    # Texts may be in several pieces; what they are in is the same.
    merged = [
        [(kind, tuple(each for each in below if each != "text")) for kind, below in found]
        for found in (calm, odd)
    ]
    assert merged[0] == merged[1]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("format_", FORMATS)
def test_every_character_is_printable(text: str, format_: str) -> None:
    for line in rendered(hostile(text), format_).splitlines():
        assert line.isprintable(), line


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_typed_stays_one_word(text: str) -> None:
    facts = replace(base(), account=text)
    words = shlex.split(typed.ssh(facts))
    assert words[:3] == ["ssh", "-J", "you@lab.example.edu:2222"]
    assert len(words) == 4
    user = typed.config(facts)[2]
    assert user.startswith("    User ")
    assert user.count('"') in {0, 2}
    assert len(typed.config(facts)) == 4


@pytest.mark.parametrize(
    ("text", "front"),
    [
        ("lab.example.edu", Front(host="lab.example.edu")),
        ("jump@10.0.0.1:2222", Front(host="10.0.0.1", port=2222, account="jump")),
        ("[fd00::1]:22", Front(host="fd00::1")),
    ],
)
def test_a_front_is_read(text: str, front: Front) -> None:
    assert front_of(text) == front
