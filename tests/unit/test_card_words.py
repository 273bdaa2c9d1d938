"""Both languages of cards have every text, with the same values, and none that nobody uses."""

from __future__ import annotations

import string
from collections.abc import Iterator

import pytest

from lab.settings.notify import Language
from lab.settings.people import Front
from provision.card.content import card_of
from provision.card.document import Style
from provision.card.facts import Facts, Way
from provision.card.words import DIRECTORY, Words, words_in
from tests.support.builders.carding import base, desktop, reached_directly


def fields(text: str) -> list[str]:
    return sorted({name for _, name, _, _ in string.Formatter().parse(text) if name})


def kinds(words: Words, key: str) -> list[Style]:
    values = dict.fromkeys(fields(words.texts[key]), "x")
    spans = words.line(key, **values)
    return sorted(one.style for one in spans if one.style is not Style.PLAIN)


def test_each_language_has_a_file() -> None:
    assert {file.stem for file in DIRECTORY.iterdir()} == {one.value for one in Language}


def test_each_text_exists_in_both() -> None:
    english, chinese = (words_in(language).texts for language in Language)
    assert list(english) == list(chinese)
    assert len(english) > 50


@pytest.mark.parametrize("key", words_in(Language.ENGLISH).texts)
def test_both_say_the_same_with_the_same_marks(key: str) -> None:
    english, chinese = words_in(Language.ENGLISH), words_in(Language.CHINESE)
    assert fields(english.texts[key]) == fields(chinese.texts[key])
    assert kinds(english, key) == kinds(chinese, key)
    names = {"CPU", "GPU", "FileZilla", "VS Code", "PyCharm", "/home"}
    assert chinese.texts[key] in names or not chinese.texts[key].isascii()


def cards() -> Iterator[Facts]:
    alone = Front(host="h", account="jump")
    yield from (base(), desktop(password="x"), reached_directly(desktop(until=None, contact=None)))
    yield base(ssh=Way(host="h", port=22, through=alone), root=None, memory=None, cpus=None)


@pytest.mark.parametrize("language", Language)
def test_every_text_is_used(language: Language) -> None:
    asked: set[str] = set()

    class Noting(dict[str, str]):
        def __getitem__(self, key: str) -> str:
            asked.add(key)
            return super().__getitem__(key)

    words = Words(language, Noting(words_in(language).texts))
    for facts in cards():
        card_of(facts, words)
    assert asked == set(words.texts)


def test_a_value_begins_and_ends_no_mark() -> None:
    words = Words(Language.ENGLISH, {"x": "a {v} `c {v}` **d**"})
    spans = words.line("x", v="`**{v}\n")
    assert [(one.text, one.style) for one in spans] == [
        ("a `**{v}\\n ", Style.PLAIN),
        ("c `**{v}\\n", Style.CODE),
        (" ", Style.PLAIN),
        ("d", Style.STRONG),
    ]
