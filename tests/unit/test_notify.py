"""Messages on their way: to servers that accept, refuse, are not there, or never answer."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from commands.notifying import telling_failures
from lab.errors import InputError, LxdError
from lab.notify.notice import Notice, Told, nobody
from lab.notify.send import check, notifier
from lab.settings.notify import Event, Language, NotifySettings
from tests.support.builders.mailbox import http_server, smtp_server

STOPPED = Notice(event=Event.STOPPED, fields={"name": "bob", "until": "2027-01-31"})
SECRET = "s3cr3t-t0ken"


def settings(path: Path, *urls: str, **more: object) -> NotifySettings:
    file = path / "notify.urls"
    file.write_text("\n".join(urls))
    file.chmod(0o600)
    return NotifySettings(urls_file=file, **more)  # type: ignore[arg-type]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_a_server_gets_it(tmp_path: Path) -> None:
    with http_server() as received:
        tell = notifier(settings(tmp_path, f"json://127.0.0.1:{received.port}/{SECRET}"))
        assert tell(STOPPED) == Told(sent=1)
    (document,) = received.documents
    assert document["title"] == "bob: the container was stopped"
    assert "invoke renew bob --until DATE" in document["message"]


def test_it_is_in_chinese_where_the_lab_says_so(tmp_path: Path) -> None:
    with http_server() as received:
        url = f"json://127.0.0.1:{received.port}"
        notifier(settings(tmp_path, url, lang=Language.CHINESE))(STOPPED)
    assert received.documents[0]["title"] == "bob：容器已停止"


def test_a_mail_has_the_lines_and_signs_of_the_text(tmp_path: Path) -> None:
    fields = {"job": "invoke expire", "host": "lab1", "details": "bob: <b> & more\nann: none"}
    with smtp_server() as received:
        url = f"mailto://127.0.0.1:{received.port}?from=lab@lab.example&to=admin@lab.example"
        told = notifier(settings(tmp_path, url))(Notice(event=Event.JOB_FAILED, fields=fields))
    assert told == Told(sent=1)
    ((_, mail),) = received.mails
    body = mail.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert body.decode().splitlines()[1:] == ["bob: <b> & more", "ann: none"]


def test_a_person_gets_mail_and_so_does_the_lab(tmp_path: Path) -> None:
    with smtp_server() as received:
        url = f"mailto://127.0.0.1:{received.port}?from=lab@lab.example&to="
        tell = notifier(settings(tmp_path, f"{url}admin@lab.example", f"{url}{{mail}}"))
        told = tell(Notice(event=STOPPED.event, fields=STOPPED.fields, mail="bob+x@lab.example"))
        assert told == Told(sent=2)
        assert tell(STOPPED) == Told(sent=1)
    assert sorted(to for to, _ in received.mails) == [
        "admin@lab.example",
        "admin@lab.example",
        "bob+x@lab.example",
    ]
    assert {mail["Subject"] for _, mail in received.mails} == {"bob: the container was stopped"}


def test_events_that_are_left_out_are_not_told_but_a_test_is(tmp_path: Path) -> None:
    with http_server() as received:
        url = f"json://127.0.0.1:{received.port}"
        tell = notifier(settings(tmp_path, url, events=(Event.JOB_FAILED,)))
        assert tell(STOPPED) == Told()
        assert tell(Notice(event=Event.TEST, fields={"host": "lab1"})) == Told(sent=1)


def test_who_refuses_is_told_by_the_line_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with http_server() as good, http_server(status=403) as bad:
        tell = notifier(
            settings(
                tmp_path,
                f"json://user:{SECRET}@127.0.0.1:{bad.port}/{SECRET}",
                f"json://127.0.0.1:{good.port}",
                f"json://127.0.0.1:{free_port()}/{SECRET}",
                f"nonsense://{SECRET}",
            )
        )
        told = tell(STOPPED)
    assert told == Told(
        sent=1,
        troubles=(
            "line 1 (json) answered with the error 403",
            "line 3 (json) cannot be reached",
            "line 4 (nonsense) did not accept it",
        ),
    )
    assert capfd.readouterr() == ("", "")


def test_who_never_answers_holds_nobody_up(tmp_path: Path) -> None:
    end = threading.Event()
    with http_server() as good, http_server(silent=end) as bad:
        urls = (f"json://127.0.0.1:{bad.port}?rto=20", f"json://127.0.0.1:{good.port}")
        began = time.monotonic()
        told = notifier(settings(tmp_path, *urls), deadline=1.5)(STOPPED)
        assert time.monotonic() - began < 4
        end.set()
    assert told == Told(sent=1, troubles=("line 1 (json) did not answer in time",))


def test_a_file_that_cannot_be_used_is_a_trouble_and_no_failure(tmp_path: Path) -> None:
    chosen = settings(tmp_path, f"json://127.0.0.1/{SECRET}")
    (tmp_path / "notify.urls").chmod(0o644)
    told = notifier(chosen)(STOPPED)
    assert told.reached_nobody
    assert SECRET not in str(told)
    with pytest.raises(InputError):
        check(chosen)


def test_without_a_file_nobody_is_told() -> None:
    assert notifier(NotifySettings()) is nobody
    assert nobody(STOPPED) == Told()
    with pytest.raises(InputError, match="nobody to tell"):
        check(NotifySettings())


def test_addresses_are_checked_before_a_test(tmp_path: Path) -> None:
    good = settings(
        tmp_path, "json://127.0.0.1:9", "mailto://127.0.0.1:25?from=a@b.example&to={mail}"
    )
    assert [one.line for one in check(good)] == [1, 2]
    with pytest.raises(InputError) as error:
        check(settings(tmp_path, "json://127.0.0.1:9", f"nonsense://{SECRET}"))
    assert "line 2 (nonsense)" in str(error.value)
    assert SECRET not in str(error.value)
    with pytest.raises(InputError, match="names no addresses"):
        check(settings(tmp_path, "# nobody yet"))


def test_a_job_that_fails_is_told_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[Notice] = []

    def tell(notice: Notice) -> Told:
        heard.append(notice)
        return Told(troubles=("line 1 (json) cannot be reached",))

    with pytest.raises(LxdError), telling_failures(tell, "invoke expire"):
        raise LxdError("LXD does not answer.")
    assert heard[0].event is Event.JOB_FAILED
    assert heard[0].fields["details"] == "LXD does not answer."
    assert "A message was not sent: line 1 (json) cannot be reached" in capsys.readouterr().err
    with telling_failures(tell, "invoke expire"):
        pass
    assert len(heard) == 1
