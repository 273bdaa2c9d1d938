"""`invoke` from a process that has imported the program already, and forks for each command.

More than half of what most commands cost a test is the start of Python and the imports. So one such
process is kept for each checkout and host; what it forks has the arguments, environment, directory
and files of its own, as if it had been started anew. What hears signals (`Lab.begin`), what is
installed, and copies of the checkout are started anew.

`python -m tests.support.live_lab.served SOCKET …`: the process. It ends when the other end of the
socket is closed, so with the tests.
"""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, Final

PACKAGES: Final = ("commands", "lab", "images", "provision", "host")
_AT_START: Final = re.compile("LD_|PYTHON|LC_|LANG|MALLOC_")
_SHORT: Final = 64
"""Bytes of an answer: a number."""


class Server:
    """The process that forks; BEFORE: what starts a command on the host that LXD sees."""

    def __init__(self, before: Sequence[str], root: Path, environ: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [*before, sys.executable, "-m", __name__, str(theirs.fileno()), str(len(before))],
                cwd=root,
                env=environ,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self._socket = ours

    def ask(self, request: bytes, files: Sequence[int], timeout: float) -> int | None:
        """The exit code of what REQUEST runs; None where it had to be killed. FILES: its 0 to 2."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, tempfile.TemporaryFile() as text:
            with theirs:
                text.write(request)
                text.seek(0)
                socket.send_fds(self._socket, [b"1"], [theirs.fileno(), text.fileno(), *files])
            pid = int(ours.recv(_SHORT))
            ours.settimeout(timeout)
            try:
                return int(ours.recv(_SHORT))
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                return None

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


def acts_at_start(environ: Mapping[str, str]) -> bool:
    """Whether ENVIRON has what Python or the loader reads as they start, unlike our own."""
    names = {name for name in environ.keys() | os.environ.keys() if _AT_START.match(name)}
    return any(environ.get(name) != os.environ.get(name) for name in names)


_servers: dict[tuple[str, ...], Server] = {}
_one_at_a_time = threading.Lock()


def served(
    before: Sequence[str],
    root: Path,
    arguments: Sequence[str],
    environ: Mapping[str, str],
    *,
    stdin: str = "",
    timeout: float,
    dies_after: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """`invoke ARGUMENTS` in ROOT; BEFORE: what starts a command on the host that LXD sees.

    As subprocess.run, with TimeoutExpired after TIMEOUT seconds. DIES_AFTER: `killed`'s count.
    """
    here = (str(root), *before)
    with _one_at_a_time:
        if here not in _servers:
            # Its LXD may have been started anew: the host that it sees is another one then.
            while _servers:
                _servers.popitem()[1].close()
            _servers[here] = Server(before, root, environ)
        server = _servers[here]
    request = json.dumps([list(arguments), dict(environ), dies_after]).encode()
    with (
        tempfile.TemporaryFile("w+") as given,
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
    ):
        given.write(stdin)
        given.seek(0)
        code = server.ask(request, [given.fileno(), out.fileno(), err.fileno()], timeout)
        said = [_text(file.fileno()) for file in (out, err)]
    if code is None:
        raise subprocess.TimeoutExpired(list(arguments), timeout, *said)
    return subprocess.CompletedProcess(list(arguments), code, *said)


def _text(file: int) -> str:
    os.lseek(file, 0, os.SEEK_SET)
    with open(file, encoding="utf-8", closefd=False) as reader:
        return reader.read()


def _import_all() -> None:
    for name in PACKAGES:
        package = import_module(name)
        for found in walk_packages(package.__path__, f"{name}."):
            import_module(found.name)
    import_module("invoke.main")


def _serve(asked: socket.socket, path: str | None) -> None:
    """Until the other end is closed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _import_all()
    gc.freeze()
    while True:
        word, files, _, _ = socket.recv_fds(asked, 1, 5)
        if not word:
            return
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            asked.close()
            _answer(files, path)
        for file in files:
            os.close(file)


def _answer(files: Sequence[int], path: str | None) -> None:
    """In a process of its own: fork the command, wait for it, and say how it ended."""
    answers, request, *given = files
    pid = os.fork()
    if pid == 0:
        os.close(answers)
        asked = json.loads(_text(request))
        os.close(request)
        _become(asked, given, path)
    with suppress(BrokenPipeError), socket.socket(fileno=answers) as told:
        told.send(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        told.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _become(request: Any, given: Sequence[int], path: str | None) -> None:
    """The command itself. It ends as any program does: by SystemExit, or with a traceback."""
    arguments, environ, dies_after = request
    for number, file in enumerate(given):
        os.dup2(file, number)
        os.close(file)
    if path is not None:
        environ["PATH"] = path
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = [str(Path(sys.executable).parent / "invoke"), *arguments]
    if dies_after is not None:
        from tests.support.live_lab import killed  # noqa: PLC0415 - it needs all of the above

        killed.die_after(dies_after)
    from invoke.main import program  # noqa: PLC0415

    program.run()
    sys.exit()


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        # `before` has put the programs of the host that LXD sees there.
        _serve(requests, os.environ["PATH"] if int(sys.argv[2]) else None)
