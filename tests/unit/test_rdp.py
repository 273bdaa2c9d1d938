"""The first words of RDP, to servers that answer well, badly, or not at all."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.rdp import NotRdp, connection_request, greet, selected_protocol, shake_hands

ADDRESS = "127.0.0.1"

# As a real xrdp answers: TLS chosen.
CHOOSES_TLS = bytes.fromhex("030000130ed000000000000200080001000000")
CHOOSES_CREDSSP = bytes.fromhex("030000130ed000000000000200080002000000")
REFUSES = bytes.fromhex("030000130ed000000000000300080002000000")
BEFORE_TLS = bytes.fromhex("0300000b06d00000000000")

Talk = Callable[[socket.socket], None]


@contextmanager
def server(talk: Talk) -> Iterator[int]:
    """A port where TALK is spoken, to one client."""
    with socket.create_server((ADDRESS, 0)) as listening:
        listening.settimeout(10)

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(10)
                talk(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield int(listening.getsockname()[1])
        thread.join()


def answers(packet: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        assert connection.recv(64) == connection_request()
        connection.sendall(packet)

    return talk


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate in one file, signed by itself as in a container."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=desk"),
            *("-keyout", str(path), "-out", f"{path}.cert"),
        ],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    path.write_text(path.read_text() + Path(f"{path}.cert").read_text())
    return path


def answers_with_tls(certificate: Path, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> Talk:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.minimum_version = context.maximum_version = version

    def talk(connection: socket.socket) -> None:
        answers(CHOOSES_TLS)(connection)
        try:
            context.wrap_socket(connection, server_side=True).close()
        except OSError:
            connection.close()

    return talk


def test_the_request_is_what_the_protocol_says() -> None:
    # [MS-RDPBCGR] 4.1.1, without a cookie and with TLS alone.
    assert connection_request().hex() == "030000130ee000000000000100080001000000"


def test_the_server_s_choice_is_read() -> None:
    assert selected_protocol(CHOOSES_TLS) == 1
    assert selected_protocol(CHOOSES_CREDSSP) == 2
    assert selected_protocol(BEFORE_TLS) == 0


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (REFUSES, "it refuses TLS: it has no TLS"),
        (REFUSES[:15] + b"\x63" + REFUSES[16:], "it refuses TLS: reason 99"),
        (b"", "the answer is not an X.224 connection confirm: nothing"),
        (
            b"SSH-2.0-OpenSSH_9.2\r\n",
            "the answer is not an X.224 connection confirm: 5353482d322e302d4f",
        ),
        (
            CHOOSES_TLS[:11] + b"\x07" + CHOOSES_TLS[12:],
            "the answer contains no RDP negotiation: 0300",
        ),
    ],
)
def test_a_wrong_answer_is_told(packet: bytes, why: str) -> None:
    with pytest.raises(NotRdp) as failure:
        selected_protocol(packet)
    assert str(failure.value).startswith(why)


def test_a_greeting_tells_version_and_certificate(certificate: Path) -> None:
    with server(answers_with_tls(certificate)) as port:
        greeting = greet(ADDRESS, port)
    assert greeting.version == "TLSv1.3"
    lines = Path(f"{certificate}.cert").read_text()
    assert greeting.certificate == _sha256(ssl.PEM_cert_to_DER_cert(lines))


def _sha256(data: bytes) -> str:
    ended = subprocess.run(["sha256sum"], input=data, capture_output=True, check=True)
    return ended.stdout.split()[0].decode()


@pytest.mark.parametrize(
    ("talk", "why"),
    [
        (answers(CHOOSES_CREDSSP), "it uses CredSSP, not TLS"),
        (answers(BEFORE_TLS), "it uses RDP's own encryption, not TLS"),
        (
            answers(b"SSH-2.0-OpenSSH_9.2\r\n"),
            "the answer is not an X.224 connection confirm: 5353482d",
        ),
        (answers(CHOOSES_TLS), "the TLS handshake failed: "),
        (
            lambda connection: connection.close(),
            "the answer is not an X.224 connection confirm: nothing",
        ),
    ],
)
def test_what_is_no_rdp_over_tls_is_refused(talk: Talk, why: str) -> None:
    with server(talk) as port, pytest.raises((NotRdp, ConnectionError)) as failure:
        greet(ADDRESS, port)
    if isinstance(failure.value, NotRdp):
        assert str(failure.value).startswith(why)


def test_a_check_waits_for_the_server_and_says_what_it_saw(certificate: Path) -> None:
    with server(answers_with_tls(certificate)) as port:
        answer = shake_hands([ADDRESS], port=port, timeout=5)
    assert answer.exit_code == 0
    assert answer.stdout.startswith("TLSv1.3, certificate ")


def test_a_check_says_why_nobody_could_log_in() -> None:
    assert shake_hands([], timeout=5).stderr == "no address to connect to"
    with socket.create_server((ADDRESS, 0)) as taken:
        port = taken.getsockname()[1]
    answer = shake_hands([ADDRESS], port=port, timeout=0)
    assert answer.exit_code == 1
    assert "refused" in answer.stderr


def test_a_server_that_sends_byte_by_byte_is_cut_off() -> None:
    cut = threading.Event()

    def talk(connection: socket.socket) -> None:
        answers(CHOOSES_TLS)(connection)
        try:
            # A record of TLS with 16 kB to come.
            connection.sendall(bytes.fromhex("1603034000"))
            while connection.send(b"\x02"):
                if cut.wait(0.01):
                    return
        except OSError:
            cut.set()

    with server(talk) as port:
        with pytest.raises((NotRdp, OSError)):
            greet(ADDRESS, port, timeout=0.3)
        assert cut.wait(10)
