"""Commands that have their caller's own streams, and the logs that LXD keeps of an instance."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from lab.errors import LxdError, NotFound
from lab.lxd.port import Lxd
from lab.machine.terminal import Streams
from tests.contract.conftest import Backend

real = pytest.mark.parametrize(
    "backend", [pytest.param("real", marks=pytest.mark.live)], indirect=True, scope="session"
)


@dataclass(frozen=True)
class Ended:
    code: int
    out: bytes
    err: bytes


def attached(
    lxd: Lxd,
    name: str,
    argv: Sequence[str],
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
) -> Ended:
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        given.write(stdin)
        given.seek(0)
        streams = Streams(stdin=given.fileno(), stdout=out.fileno(), stderr=err.fileno())
        code = lxd.attach(name, argv, streams, env=env)
        out.seek(0)
        err.seek(0)
        return Ended(code, out.read(), err.read())


def test_streams_and_exit_code_are_the_command_s(backend: Backend, box: str) -> None:
    script = "cat; echo bad >&2; exit 7"
    done = attached(backend.lxd, box, ["sh", "-c", script], b"one\ntwo")
    assert done == Ended(7, b"one\ntwo", b"bad\n")


def test_words_are_passed_on_as_they_are(backend: Backend, box: str) -> None:
    words = ["a  b", "$HOME", "*", "'\"", "-x", "--", ""]
    done = attached(backend.lxd, box, ["printf", "%s|", *words])
    assert done == Ended(0, "".join(f"{word}|" for word in words).encode(), b"")


def test_a_command_that_is_not_there_is_127(backend: Backend, box: str) -> None:
    assert attached(backend.lxd, box, ["no-such-command"]).code == 127


def test_neither_a_stopped_nor_a_missing_instance_runs_anything(
    backend: Backend, made: str
) -> None:
    with pytest.raises(LxdError):
        attached(backend.lxd, made, ["true"])
    with pytest.raises(NotFound):
        attached(backend.lxd, backend.unused(), ["true"])


def test_logs_are_there_or_empty(backend: Backend, box: str, made: str) -> None:
    for name in (box, made):
        assert isinstance(backend.lxd.console_log(name), bytes)
        assert isinstance(backend.lxd.start_log(name), bytes)
    for read in (backend.lxd.console_log, backend.lxd.start_log):
        with pytest.raises(NotFound):
            read(backend.unused())


@real
def test_much_goes_in_and_comes_out_unchanged(backend: Backend, box: str) -> None:
    content = os.urandom(20 << 20)
    done = attached(backend.lxd, box, ["cat"], content)
    assert (done.code, len(done.out), done.out == content, done.err) == (0, 20 << 20, True, b"")


@real
def test_nothing_of_short_commands_gets_lost(backend: Backend, box: str) -> None:
    for number in range(60):
        done = attached(backend.lxd, box, ["sh", "-c", f"echo {number}; echo e{number} >&2"])
        assert done == Ended(0, f"{number}\n".encode(), f"e{number}\n".encode())


@real
def test_it_reads_no_more_than_it_wants(backend: Backend, box: str) -> None:
    assert attached(backend.lxd, box, ["head", "-c", "3"], b"x" * (5 << 20)) == Ended(
        0, b"xxx", b""
    )


@real
def test_a_signal_is_the_command_s(backend: Backend, box: str) -> None:
    read, write = os.pipe()
    streams = Streams(stdin=read)
    streams.heard.put(signal.SIGTERM)
    try:
        assert backend.lxd.attach(box, ["sleep", "77"], streams) == 128 + signal.SIGTERM
    finally:
        os.close(write)
        os.close(read)


@real
def test_where_nobody_reads_any_more_it_ends(backend: Backend, box: str) -> None:
    read, write = os.pipe()

    def read_once() -> None:
        os.read(read, 100)
        os.close(read)

    threading.Thread(target=read_once).start()
    with open(os.devnull, "rb") as nothing, pytest.raises(BrokenPipeError):  # noqa: PTH123
        backend.lxd.attach(box, ["yes"], Streams(stdin=nothing.fileno(), stdout=write))
    os.close(write)
    assert "yes" not in backend.lxd.run(box, ["sh", "-c", "cat /proc/[0-9]*/comm"]).stdout.split()


@real
def test_the_environment_is_that_of_other_commands(backend: Backend, box: str) -> None:
    done = attached(backend.lxd, box, ["env"], env={"TERM": "vt100"})
    assert {b"HOME=/root", b"USER=root", b"TERM=vt100"} <= set(done.out.splitlines())
