"""The beginning of a conversation with an RDP server, as any client speaks it: X.224 and TLS.

Only as far as to know that a client would get to the login: no credentials are involved.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

from lab.errors import LxdError
from lab.lxd.model import Completed
from lab.wait import poll

PORT = 3389
SECONDS = 10.0

# [MS-RDPBCGR] 2.2.1.1 and 2.2.1.2.
_TPKT_VERSION = 3
_CONNECTION_REQUEST = 0xE0
_CONNECTION_CONFIRM = 0xD0
_NEGOTIATION_REQUEST = 1
_NEGOTIATION_RESPONSE = 2
_NEGOTIATION_FAILURE = 3
_TLS = 1
_PROTOCOLS = {0: "RDP's own encryption", _TLS: "TLS", 2: "CredSSP", 8: "CredSSP with early user"}
_REFUSALS = {
    1: "it requires TLS",
    2: "it has no TLS",
    3: "it has no certificate",
    5: "it requires CredSSP",
}


class NotRdp(Exception):
    """The answer is not from an RDP server, or not from one that a TLS client can use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """What the server showed before any login."""

    version: str
    """Of TLS, such as `TLSv1.3`."""
    certificate: str
    """SHA-256 of the server's certificate."""


class Greet(Protocol):
    """`greet`, of a known port."""

    def __call__(self, address: str, port: int, /, *, timeout: float) -> Greeting: ...


def greet(address: str, port: int = PORT, *, timeout: float = SECONDS) -> Greeting:
    """Ask for TLS and see the handshake through; NotRdp, or OSError when nobody answers.

    Within TIMEOUT seconds after the connection is there, however the answer trickles.
    """
    with (
        socket.create_connection((address, port), timeout=timeout) as plain,
        _cut_off_after(timeout, plain),
    ):
        plain.sendall(connection_request())
        protocol = selected_protocol(_answer(plain))
        if protocol != _TLS:
            raise NotRdp(f"it uses {_PROTOCOLS.get(protocol, f'protocol {protocol}')}, not TLS")
        try:
            with _any_certificate().wrap_socket(plain, server_hostname=address) as encrypted:
                certificate = encrypted.getpeercert(binary_form=True) or b""
                return Greeting(
                    version=encrypted.version() or "no TLS",
                    certificate=hashlib.sha256(certificate).hexdigest(),
                )
        except (ssl.SSLError, ConnectionResetError) as error:
            raise NotRdp(f"the TLS handshake failed: {error}") from error


@contextmanager
def _cut_off_after(seconds: float, connection: socket.socket) -> Iterator[None]:
    """A timeout of sockets is one for each piece, and a container's user may send byte by byte."""
    with connection.dup() as handle:

        def cut() -> None:
            with suppress(OSError):
                handle.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(seconds, cut)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def shake_hands(ipv4: Sequence[str], *, port: int = PORT, timeout: float) -> Completed:
    """`greet` as a check's answer; the server may take until TIMEOUT to come up."""
    if not ipv4:
        return Completed(exit_code=255, stdout="", stderr="no address to connect to")
    failures: list[str] = []

    def attempt() -> Greeting | None:
        try:
            return greet(ipv4[0], port)
        except (OSError, NotRdp) as error:
            failures.append(f"{error}")
            return None

    try:
        greeting = poll(attempt, what="RDP", timeout=timeout, every=0.5)
    except LxdError:
        return Completed(exit_code=1, stdout="", stderr=failures[-1])
    said = f"{greeting.version}, certificate {greeting.certificate[:16]}"
    return Completed(exit_code=0, stdout=said, stderr="")


def connection_request(protocols: int = _TLS) -> bytes:
    """The first packet of a client that offers PROTOCOLS."""
    negotiation = struct.pack("<BBHI", _NEGOTIATION_REQUEST, 0, 8, protocols)
    x224 = struct.pack(">BBHHB", 6 + len(negotiation), _CONNECTION_REQUEST, 0, 0, 0)
    return struct.pack(">BBH", _TPKT_VERSION, 0, 4 + len(x224) + len(negotiation)) + (
        x224 + negotiation
    )


def selected_protocol(packet: bytes) -> int:
    """What the server chose in its answer; NotRdp when it is not such an answer."""
    if len(packet) < 11 or packet[0] != _TPKT_VERSION or packet[5] & 0xF0 != _CONNECTION_CONFIRM:
        raise NotRdp(
            f"the answer is not an X.224 connection confirm: {packet[:24].hex() or 'nothing'}"
        )
    if len(packet) < 19:
        # A server that knows no negotiation: what was RDP before TLS.
        return 0
    kind, _, _, value = struct.unpack("<BBHI", packet[11:19])
    if kind == _NEGOTIATION_FAILURE:
        raise NotRdp(f"it refuses TLS: {_REFUSALS.get(value, f'reason {value}')}")
    if kind != _NEGOTIATION_RESPONSE:
        raise NotRdp(f"the answer contains no RDP negotiation: {packet[:24].hex()}")
    return int(value)


def _answer(plain: socket.socket) -> bytes:
    """One TPKT packet, or as much of it as there is."""
    head = _exactly(plain, 4)
    if len(head) < 4 or head[0] != _TPKT_VERSION:
        return head
    # A length of nonsense ends with the server's silence or its hanging up.
    return head + _exactly(plain, struct.unpack(">H", head[2:])[0] - 4)


def _exactly(plain: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        part = plain.recv(size - len(read))
        if not part:
            break
        read += part
    return read


def _any_certificate() -> ssl.SSLContext:
    """Containers sign their certificates themselves: clients ask their users about them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
