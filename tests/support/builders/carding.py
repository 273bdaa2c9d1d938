"""Facts of people's containers, and what cards make of them."""

from __future__ import annotations

from dataclasses import replace

from lab.settings.notify import Language
from lab.settings.people import Front
from provision.card.content import card_of
from provision.card.facts import Facts, Share, Way
from provision.card.render import render
from provision.card.words import words_in

GIB = 1 << 30
FRONT = Front(host="lab.example.edu", port=2222)
HOSTILE = (
    "</code></pre><script>alert(1)</script>",
    '" onmouseover="alert(1)" x="',
    "![x](https://evil.example/x.png) [y](javascript:alert(1)) **b** `c` ```` <img src=x> &amp;",
    "\x1b[2J\x1b]0;owned\x07\u202egnp.exe",
    "one\ntwo\r\n# three\n- four",
    "{name} {0} {{ card.title }} {% raw %} $(id) `id` ; id",
    "~~~\n$(touch /tmp/x)",
)
"""What somebody may write where a name or an address is expected."""


def base(**other: object) -> Facts:
    """alice, on the server's own bridge, with a front before it."""
    usual = Facts(
        name="alice",
        account="alice",
        ssh=Way(host="10.77.0.50", port=22, through=FRONT),
        cpus=2,
        memory=4 * GIB,
        root=20 * GIB,
        home=50 * GIB,
        until="2027-01-31",
        contact="Ann Lee, ann@example.edu, room 4",
    )
    return replace(usual, **other)  # type: ignore[arg-type]


def desktop(**other: object) -> Facts:
    """The same with all that there is."""
    return base(
        **{
            "rdp": Way(host="10.77.0.50", port=3389, through=FRONT),
            "gpus": ("NVIDIA GeForce RTX 4090", "NVIDIA GeForce RTX 4090"),
            "shares": (
                Share(place="/data/sets", kind="read-only"),
                Share(place="/data/scratch", kind="private-files"),
                Share(place="/team", kind="open"),
                Share(place="/old", kind=None),
            ),
            "has_docker": True,
            **other,
        }
    )


def reached_directly(facts: Facts) -> Facts:
    """By a port of the server, as `ssh -p` takes it."""
    return replace(
        facts,
        ssh=Way(host="lab.example.edu", port=40001),
        rdp=Way(host="lab.example.edu", port=40002) if facts.rdp else None,
    )


def hostile(text: str) -> Facts:
    """TEXT wherever there is text of somebody else's."""
    return desktop(
        name=text,
        account=text,
        contact=text,
        until=text,
        password=text,
        gpus=(text,),
        shares=(Share(place=text, kind=text), Share(place=text, kind="open")),
    )


def rendered(facts: Facts, format_: str, language: Language = Language.ENGLISH) -> str:
    return render(card_of(facts, words_in(language)), format_)
