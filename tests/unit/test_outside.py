"""What services say to those who connect, over real sockets."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from images.checks.network import read_banner, ssh_login
from lab.lxd.model import Completed


@contextmanager
def _service(*sayings: bytes) -> Iterator[int]:
    """Says one after the other to its guests, the last one from then on; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            number = 0
            while True:
                try:
                    guest, _ = door.accept()
                except OSError:
                    return
                with guest:
                    guest.sendall(sayings[min(number, len(sayings) - 1)])
                number += 1

        threading.Thread(target=serve, daemon=True).start()
        yield door.getsockname()[1]
        door.shutdown(socket.SHUT_RDWR)


def test_what_matches_is_heard_at_once() -> None:
    with _service(b"hello\n") as port:
        assert read_banner(("127.0.0.1",), port, "^hello$", timeout=60).stdout == "hello\n"


def test_a_service_that_starts_slowly_is_asked_again() -> None:
    with _service(b"", b"starting\n", b"hello\n") as port:
        assert read_banner(("127.0.0.1",), port, "^hello$", timeout=60).stdout == "hello\n"


def test_what_does_not_match_is_told_in_the_end() -> None:
    with _service(b"220 smtp\n") as port:
        assert read_banner(("127.0.0.1",), port, "^hello$", timeout=0).stdout == "220 smtp\n"


def test_nobody_there_and_no_address_say_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    refused = read_banner(("127.0.0.1",), port, "x", timeout=0)
    assert refused == Completed(
        exit_code=0, stdout="", stderr=f"127.0.0.1 port {port}: Connection refused"
    )
    assert read_banner((), 80, "x", timeout=60).stderr == "no address to connect to"


def test_nobody_logs_in_without_an_address(tmp_path: Path) -> None:
    assert ssh_login((), tmp_path / "key").stderr == "no address to log in to"
