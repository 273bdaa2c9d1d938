"""What is said, in both languages, and to which addresses."""

from __future__ import annotations

import os
import string
from pathlib import Path

import pytest

from lab.errors import InputError
from lab.notify.notice import Notice
from lab.notify.targets import Target, read_targets
from lab.notify.texts import TEXTS, worded
from lab.settings.notify import EVENTS, Event, Language

FIELDS = {
    "name": "bob",
    "until": "2027-01-31",
    "days": "7",
    "backup": "b1",
    "purge": "2027-09-01",
    "host": "lab1",
    "job": "invoke expire",
    "details": "LXD does not answer.",
}
PATH_IN_ARCHIVE = "mailtos://lab:pw@smtp.example?to={mail}"


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("event", Event)
def test_both_languages_say_the_same(event: Event) -> None:
    english, chinese = (TEXTS[language][event] for language in Language)
    assert fields(english.title) == fields(chinese.title)
    assert fields(english.body) == fields(chinese.body)
    assert fields(english.body) <= FIELDS.keys()
    assert english.title != chinese.title
    assert chinese.body.isascii() is False


def test_every_event_but_the_test_may_be_chosen() -> None:
    assert set(EVENTS) == set(Event) - {Event.TEST}


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("event", Event)
def test_every_message_can_be_worded(event: Event, language: Language) -> None:
    title, body = worded(Notice(event=event, fields=FIELDS), language)
    assert "{" not in title + body
    assert "\n" not in title
    assert FIELDS["name" if "name" in fields(TEXTS[language][event].title) else "host"] in title


def test_what_others_wrote_is_printable_and_not_endless() -> None:
    odd = {**FIELDS, "details": "\x1b[2J{name}" + "x" * 9000}
    _, body = worded(Notice(event=Event.JOB_FAILED, fields=odd), Language.ENGLISH)
    assert "\x1b" not in body
    assert "{name}" in body
    assert len(body) < 4100


def private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_addresses_are_read_line_by_line(tmp_path: Path) -> None:
    text = f"# the lab\n\njson://127.0.0.1:9/secret\n  {PATH_IN_ARCHIVE}  \n"
    lab, person = read_targets(private(tmp_path / "urls", text))
    assert (lab.line, lab.url, lab.is_persons) == (3, "json://127.0.0.1:9/secret", False)
    assert (person.line, person.is_persons) == (4, True)
    assert lab.url_for(None) == lab.url
    assert person.url_for(None) is None
    assert person.url_for("b+o@x.example") == "mailtos://lab:pw@smtp.example?to=b%2Bo%40x.example"


def test_an_address_is_never_shown(tmp_path: Path) -> None:
    (one,) = read_targets(private(tmp_path / "urls", "slack://T0KEN/S3CRET/KEY\n"))
    assert (str(one), "3CRET" in repr(one)) == ("line 1 (slack)", False)
    assert str(Target(line=2, url="pa55word")) == "line 2 (not a URL)"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = private(tmp_path / "urls", "json://h/secret\n")
    file.chmod(mode)
    with pytest.raises(InputError) as error:
        read_targets(file)
    assert f"chmod 600 {file}" in str(error.value)
    assert "secret" not in str(error.value).replace("hold secrets", "")


def test_a_file_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = private(tmp_path / "urls", "json://h/secret\n")
    monkeypatch.delenv("SUDO_UID", raising=False)
    if os.geteuid() == 0:
        os.chown(file, 4711, 4711)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(InputError, match="another account"):
        read_targets(file)


def test_what_is_not_a_plain_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "link").symlink_to(private(tmp_path / "urls", ""))
    (tmp_path / "large").write_bytes(b"x" * (1 << 20))
    (tmp_path / "large").chmod(0o600)
    (tmp_path / "odd").write_bytes(b"\xff\xfe")
    (tmp_path / "odd").chmod(0o600)
    for name in ("pipe", "link", "large", "missing", "odd"):
        with pytest.raises(InputError):
            read_targets(tmp_path / name)
