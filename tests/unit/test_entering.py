"""Who is let into a container by a shell or a command, and what there is to read of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from commands.inside import behind_dashes
from commands.views import logs as view
from lab.errors import InputError, LxdError
from lab.lxd.model import Completed
from lab.machine.terminal import Size, Streams
from provision.entering import login_shell, running_container
from provision.logs import CLOUD_INIT, Log, last_lines, logs_of, without_noise
from tests.support.builders.stamping import a_lab, bob, stamp
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeFile, FakeInstance

PASSWD = {
    "bob": "bob:x:1000:1000::/home/bob:/bin/bash",
    "root": "root:x:0:0:root:/root:/bin/bash",
    "sshd": "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin",
}


@pytest.fixture
def lab() -> FakeLxd:
    lxd = a_lab()
    stamp(lxd, bob())
    lxd.on_run = answer
    return lxd


def answer(_name: str, argv: Sequence[str], _stdin: bytes | None) -> Completed:
    if argv[0] == "getent":
        # As getent does, by numbers, too.
        found = PASSWD.get("root" if argv[-1] == "0" else argv[-1], "")
        return Completed(exit_code=0 if found else 2, stdout=f"{found}\n", stderr="")
    if argv[0] == "tail":
        return Completed(exit_code=0, stdout="Cloud-init v. 22.4.2 finished\n", stderr="")
    return Completed(exit_code=1, stdout="", stderr="No journal files were found.\n")


def test_the_words_behind_the_dashes_stay_as_they_are() -> None:
    words = ["invoke", "exec", "bob", "--", "sh", "-c", "echo  'a b' -- $1", "--", "-x", ""]
    assert behind_dashes(words) == tuple(words[4:])
    assert behind_dashes(["invoke", "exec", "bob"]) == ()
    assert behind_dashes(["invoke", "exec", "bob", "--"]) == ()


def test_only_a_running_container_of_ours_is_entered(lab: FakeLxd) -> None:
    assert running_container(lab, "bob").name == "bob"
    lab.store.instances["default", "theirs"] = FakeInstance()
    lab.stop("bob")
    for name, told in (
        (
            "bob",
            "bob does not run: its state is Stopped.\n"
            "Next: Start it: invoke start bob\n"
            "      Read its logs: invoke logs bob",
        ),
        ("bop", 'There is no container "bop" (did you mean "bob"?).'),
        ("theirs", '"theirs" is an instance that labstamp did not make.'),
    ):
        with pytest.raises(InputError) as error:
            running_container(lab, name)
        assert str(error.value).startswith(told)


def test_a_shell_is_the_person_s_unless_asked(lab: FakeLxd) -> None:
    one = running_container(lab, "bob")
    assert login_shell(lab, one, None) == ("su", "-l", "bob")
    assert login_shell(lab, one, "root") == ("su", "-l", "root")
    for account, told in (
        ("ann", 'There is no account "ann" in bob.'),
        ("0", 'There is no account "0" in bob.'),
        ("-c id", 'There is no account "-c id" in bob.'),
        ("sshd", 'The account "sshd" in bob has no login shell: /usr/sbin/nologin.'),
    ):
        with pytest.raises(InputError) as error:
            login_shell(lab, one, account)
        assert str(error.value).startswith(told)
        assert "invoke shell bob --as root" in str(error.value)


def test_lines_are_the_last_ones_without_colours() -> None:
    console = b"\x1b[0;1;39mWelcome\x1b[0m\r\n[\x1b[0;32m  OK  \x1b[0m] Reached\0 target.\r\n\n\n"
    assert last_lines(console, 5) == ("Welcome", "[  OK  ] Reached target.")
    assert last_lines(b"a\nb\nc\xff\n", 2) == ("b", "c\ufffd")
    assert last_lines(b"", 5) == ()


def test_of_commands_inside_liblxc_s_log_has_nothing() -> None:
    noise = b"lxc bob 2026 WARN attach - attach.c:478 - No security context received\n"
    assert without_noise(noise + b"lxc bob 2026 ERROR start - no\n" + noise) == (
        b"lxc bob 2026 ERROR start - no\n"
    )


def test_each_log_is_read_and_one_that_fails_hides_no_other(lab: FakeLxd) -> None:
    lab.store.consoles["default", "bob"] = b"bob login: \n"
    (instance,) = (one for one in lab.instances() if one.name == "bob")
    start, console, first_boot, journal = logs_of(lab, instance, lines=10)
    assert start == Log(title="LXD's log of its last start", why="It is empty.")
    assert console == Log(title="console", lines=("bob login:",))
    assert first_boot == Log(title=CLOUD_INIT, lines=("Cloud-init v. 22.4.2 finished",))
    assert journal.why == (
        "It cannot be read: journalctl ended with the exit code 1. No journal files were found."
    )


def test_of_a_stopped_one_files_are_read(lab: FakeLxd) -> None:
    lab.stop("bob")
    files = lab.store.instances["default", "bob"].files
    files[CLOUD_INIT] = FakeFile(content=b"Traceback\nboom\n")
    (instance,) = (one for one in lab.instances() if one.name == "bob")
    _, _, first_boot, journal = logs_of(lab, instance, lines=1)
    assert first_boot.lines == ("boom",)
    assert journal.why == (
        "It cannot be read: while it is stopped, only root on the server can read it"
    )


def test_a_log_looks_like_no_title_of_ours() -> None:
    log = Log(title="console", lines=("== journal", "x"))
    assert view.text(log) == "\n== console\n  == journal\n  x"
    assert view.text(Log(title="console", why="It is empty.")) == "\n== console\n  It is empty."


def test_a_terminal_has_a_size_and_a_pipe_has_none() -> None:
    assert Streams().size is None
    assert Streams(size=Size(80, 24)).size == Size(80, 24)


def test_an_error_of_lxd_is_not_hidden_where_it_is_lxd_s(lab: FakeLxd) -> None:
    (instance,) = (one for one in lab.instances() if one.name == "bob")
    lab.store.instances.clear()
    assert all(isinstance(one, Log) for one in logs_of(lab, instance, lines=1))
    with pytest.raises(LxdError):
        lab.console_log("bob")
